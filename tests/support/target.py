"""A second Postgres that destinations write to: over TCP, with passwords, and able to go away and come back."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.stack import postgres
from app.stack.child import Child
from app.stack.data_directory import DataDirectory
from app.stack.joining import find_socket_root, remove_own_socket_directory
from app.stack.supervisor import Supervisor

OWNER, PASSWORD = "owner", "the-password-of-the-owner"


@dataclass(slots=True)
class TargetServer:
    """A running server of its own."""

    data: DataDirectory
    place: Path
    port: int
    _supervisor: Supervisor = field(init=False)

    def start(self) -> None:
        self._supervisor = Supervisor(run_dir=self.data.run, log_dir=self.data.logs, report=print)
        spec = postgres.build_child(self.data.postgres, self.place)
        rules = self.data.postgres / "pg_hba.conf"
        rules.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        command = (*spec.command, "-c", "listen_addresses=127.0.0.1", "-c", f"port={self.port}", "-c", "fsync=off")
        self._supervisor.spawn(replace(spec, command=command, is_ready=lambda _pid: self.answers()))
        self._supervisor.wait_until_ready()

    @property
    def child(self) -> Child:
        """The server's process, which is started again when it ends."""
        (child,) = self._supervisor.children.values()
        return child

    def stop(self) -> None:
        self._supervisor.stop()

    def admin(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        host = (self.place / postgres.SOCKET_NAME).parent
        return psycopg.connect(host=str(host), port=self.port, user="ferryman", dbname=database, autocommit=True)

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            self.admin().close()
        except psycopg.OperationalError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class TargetDatabase:
    """A database of a test's own at the target, whose owner may make schemas."""

    server: TargetServer
    name: str

    @property
    def config(self) -> JsonObject:
        """What a datastore needs to write there."""
        return {
            **{"host": "127.0.0.1", "port": self.server.port, "database": self.name},
            **{"user": OWNER, "password": PASSWORD},
        }

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.server.admin(self.name) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[arg-type]  # a test's own text

    def execute(self, statement: str) -> None:
        with self.server.admin(self.name) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def dicts(self, statement: str) -> list[dict[str, Any]]:
        with self.server.admin(self.name) as connection:
            cursor = connection.execute(statement)  # type: ignore[arg-type]
            assert cursor.description is not None
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def running_target(directory: Path) -> Iterator[TargetServer]:
    """Run a server on a directory that others can reach."""
    data = DataDirectory(directory / "data")
    data.create()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = TargetServer(data, find_socket_root(data), port)
    server.start()
    with server.admin() as connection:
        connection.execute(f"create role {OWNER} login password '{PASSWORD}'")
    try:
        yield server
    finally:
        server.stop()
        remove_own_socket_directory(data)


@contextmanager
def fresh_target(server: TargetServer) -> Iterator[TargetDatabase]:
    """Make a database, and drop it at the end."""
    name = f"target_{new_id().replace('-', '')}"
    with server.admin() as connection:
        connection.execute(sql.SQL("create database {} owner {}").format(sql.Identifier(name), sql.Identifier(OWNER)))
    yield TargetDatabase(server, name)
    with server.admin() as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
