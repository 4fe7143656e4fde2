"""The embedded broker: a Redis or Valkey server on PATH, else the Valkey of a wheel, as a supervised child."""

import os
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path
from signal import SIGTERM
from typing import Final

from app.stack import extras
from app.stack.child import ChildSpec

SOCKET_NAME = "redis.sock"
MEMORY_BYTES: Final = 512 * 1024 * 1024
"""Of the server: room for some 250,000 messages of 1.4 KB, each the start of a run."""
_LOG: Final = ("appendonlydir", "appendonly.aof")
"""What a server writes, from version 7 on and before."""


def build_url(socket_root: Path) -> str:
    """Return the broker URL that Celery and Flower understand."""
    return f"redis+socket://{socket_root / SOCKET_NAME}"


def build_child(data_dir: Path, socket_root: Path, *, memory_bytes: int = MEMORY_BYTES) -> ChildSpec:
    """Describe the server's process; raise StackError when no server is installed."""
    program = extras.find_broker_program()
    path = socket_root / SOCKET_NAME
    settings = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(data_dir),
        "appendonly": "yes",
        "appendfsync": "everysec",
        # The log is rewritten at 16 MB, not at 64: queues fill and empty.
        "auto-aof-rewrite-min-size": "16mb",
        "save": "",
        # Eviction would silently drop Celery's queue bindings and messages.
        "maxmemory-policy": "noeviction",
        # Publishers stop at four fifths of it (app/broker/sender.py): the rest waits in Postgres.
        "maxmemory": str(memory_bytes),
        "daemonize": "no",
    }
    return ChildSpec(
        name="redis",
        command=(str(program), *(part for name, value in settings.items() for part in (f"--{name}", value))),
        environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        working_dir=data_dir,
        prepare=partial(_prepare, data_dir, program),
        is_ready=partial(_is_answering, path),
        stop_signals=(SIGTERM,),
        stop_seconds=10.0,
        death_signal=SIGTERM,
    )


def _prepare(data_dir: Path, program: Path) -> None:
    """Create the directory, and remove what another program wrote, which this one may not read.

    The broker holds nothing that Postgres does not: a lost message is sent again.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark, writer = data_dir / "written-by", _read_version(program)
    if mark.is_file() and mark.read_text() == writer:
        return
    for name in _LOG:
        path = data_dir / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    mark.write_text(writer)


def _read_version(program: Path) -> str:
    """Return a server's name and minor version, which determine its format: "Valkey 9.1"."""
    command = [str(program), "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # no shell
    named = re.match(r"(\w+) server v=(\d+\.\d+)", result.stdout)
    return f"{named[1]} {named[2]}" if named else result.stdout.strip()


def _is_answering(path: Path, _pid: int) -> bool:
    # Loaded here: a daemon's command line asks this module for an address only.
    import redis  # noqa: PLC0415

    try:
        with redis.Redis(unix_socket_path=str(path), socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
