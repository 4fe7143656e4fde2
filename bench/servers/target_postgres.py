"""A second Postgres for destinations, over TCP: Ferryman connects to no socket of a directory."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from app.engine.json_types import JsonObject
from app.stack import postgres
from app.stack.data_directory import DataDirectory
from app.stack.joining import find_socket_root, remove_own_socket_directory
from app.stack.supervisor import Supervisor

_USER, _DATABASE = "ferryman", "postgres"


@dataclass(frozen=True, slots=True)
class TargetPostgres:
    """A running server."""

    port: int

    @property
    def url(self) -> str:
        """Where it is, for libpq."""
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{_DATABASE}"

    @property
    def config(self) -> JsonObject:
        """Where it is, for a datastore."""
        return {"host": "127.0.0.1", "port": self.port, "database": _DATABASE, "user": _USER}

    def clear(self) -> None:
        """Remove what was written."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for (name,) in connection.execute(
                "select quote_ident(nspname) from pg_namespace where nspname !~ '^(pg_|information_schema|public)'"
            ).fetchall():
                connection.execute(f"drop schema {name} cascade")
            connection.execute("checkpoint")


@contextmanager
def running_target(directory: Path) -> Iterator[TargetPostgres]:
    """Run a server for as long as a block lasts."""
    data = DataDirectory(directory)
    data.create()
    with socket.create_server(("127.0.0.1", 0)) as free:
        target = TargetPostgres(free.getsockname()[1])
    supervisor = Supervisor(run_dir=data.run, log_dir=data.logs, report=lambda _: None)
    spec = postgres.build_child(data.postgres, find_socket_root(data))
    command = (*spec.command, "-c", "listen_addresses=127.0.0.1", "-c", f"port={target.port}")
    try:
        supervisor.spawn(replace(spec, command=command, is_ready=lambda _pid: _answers(target)))
        supervisor.wait_until_ready()
        yield target
    finally:
        supervisor.stop()
        remove_own_socket_directory(data)


def _answers(target: TargetPostgres) -> bool:
    try:
        psycopg.connect(target.url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
