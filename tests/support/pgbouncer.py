"""A PgBouncer of one's own before a Postgres: on a private port, pooling by transaction, gone at the end."""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import SIGINT, SIGTERM

import psycopg
from psycopg.conninfo import conninfo_to_dict

from app.stack.child import Child, ChildSpec
from app.stack.supervisor import Supervisor
from app.store.db.database import connect

PACKAGE = "pgbouncer"
_DIRECTORIES = ("/usr/sbin", "/usr/local/sbin")
_SETTINGS = """\
[databases]
* = host={host} port={port} user={user}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 60
max_client_conn = 2000
server_idle_timeout = 5
query_wait_timeout = 30
ignore_startup_parameters = {ignored}
log_connections = 0
log_disconnections = 0
pidfile =
"""


def program() -> str | None:
    """Find Debian's program, which lies where only administrators look."""
    return shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", os.defpath), *_DIRECTORIES]))


@dataclass(frozen=True, slots=True)
class Pooler:
    """A running PgBouncer."""

    port: int
    child: Child


@contextmanager
def running_pgbouncer(directory: Path, direct_url: str, *, ignored: str = "") -> Iterator[Pooler]:
    """Run one before the server of a URL, all of whose databases are behind it, until the block ends."""
    path = program()
    assert path is not None, f"there is no PgBouncer: install it (apt-get install {PACKAGE})"
    directory.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen_port = int(free.getsockname()[1])
    server = conninfo_to_dict(direct_url)
    named = {name: server[name] for name in ("host", "port", "user")}
    file = directory / "pgbouncer.ini"
    file.write_text(_SETTINGS.format(**named, listen_port=listen_port, ignored=ignored))
    run_as = _owner_of(Path(str(server["host"]))) if os.geteuid() == 0 else None
    if run_as:
        for place in (directory, file):
            os.chown(place, *run_as)
    supervisor = Supervisor(run_dir=directory, log_dir=directory, report=print)
    try:
        supervisor.spawn(
            ChildSpec(
                name="pgbouncer",
                command=(path, str(file)),
                environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                working_dir=directory,
                run_as=run_as,
                is_ready=partial(_answers, pooled_url(direct_url, listen_port)),
                stop_signals=(SIGINT, SIGTERM),
                stop_seconds=5.0,
                death_signal=SIGTERM,
            )
        )
        supervisor.wait_until_ready()
        yield Pooler(listen_port, supervisor.children["pgbouncer"])
    finally:
        supervisor.stop()


@contextmanager
def pooled_engines() -> Iterator[None]:
    """Have every engine that is made meanwhile take its URL for a pooler's, unless it is told otherwise."""
    before = dict(connect.__kwdefaults__)
    connect.__kwdefaults__.update(is_pooled=True, prepares=False)
    try:
        yield
    finally:
        connect.__kwdefaults__.update(before)


def pooled_url(direct_url: str, port: int) -> str:
    """Lead a URL through the pooler."""
    named = conninfo_to_dict(direct_url)
    return f"postgresql://{named['user']}@127.0.0.1:{port}/{named['dbname']}"


def _owner_of(place: Path) -> tuple[int, int]:
    """Who runs Postgres: PgBouncer does not run as root, and nobody else reaches that socket."""
    owner = place.stat()
    return owner.st_uid, owner.st_gid


def _answers(url: str, _pid: int) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
