"""Postgres for a whole test session, with a fresh database in milliseconds for whoever asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from app.engine.ids import new_id
from app.stack import postgres
from app.stack.data_directory import DataDirectory
from app.stack.joining import find_socket_root, remove_own_socket_directory
from app.stack.supervisor import Supervisor
from app.store.db import migrate
from tests.support import pgbouncer

_TEMPLATE = "ferryman_template"


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server with a migrated template."""

    place: Path
    pooler_port: int | None = None
    """Where a pooler before it listens, which tests then go through."""

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.place / postgres.SOCKET_NAME

    @contextmanager
    def fresh_database(self, *, template: str = _TEMPLATE, is_direct: bool = False) -> Iterator[str]:
        """Copy a template, by default the migrated one, give the copy's URL, and drop it at the end.

        Its files are copied: by default each of its blocks would be written to the log, at twice the CPU time.
        """
        name = f"test_{new_id().replace('-', '')}"
        self._execute(sql.SQL("create database {} template {} strategy file_copy"), name, template)
        try:
            url = postgres.build_url(self.place, name)
            yield url if is_direct or self.pooler_port is None else pgbouncer.pooled_url(url, self.pooler_port)
        finally:
            self._execute(sql.SQL("drop database {} with (force)"), name)

    def past_pooler(self, url: str) -> str:
        """Lead a URL of ours to the server itself; nothing where it leads there anyway."""
        return "" if self.pooler_port is None else postgres.build_url(self.place, str(conninfo_to_dict(url)["dbname"]))

    def make_template(self) -> None:
        """Migrate once; every database of the session is a copy."""
        self._execute(sql.SQL("create database {}"), _TEMPLATE)
        migrate.upgrade(postgres.build_url(self.place, _TEMPLATE))

    def _execute(self, statement: sql.SQL, *names: str) -> None:
        with psycopg.connect(postgres.build_url(self.place, "postgres"), autocommit=True) as connection:
            connection.execute(statement.format(*map(sql.Identifier, names)))


@contextmanager
def running_postgres(directory: Path) -> Iterator[PostgresServer]:
    """Run a server on a directory that others can reach (as root, it runs as another user)."""
    data = DataDirectory(directory / "data")
    data.create()
    place = find_socket_root(data)
    supervisor = Supervisor(run_dir=data.run, log_dir=data.logs, report=print)
    try:
        spec = postgres.build_child(data.postgres, place)
        # A process that is killed loses nothing by it; only a machine that loses power does.
        supervisor.spawn(replace(spec, command=(*spec.command, "-c", "fsync=off")))
        supervisor.wait_until_ready()
        server = PostgresServer(place)
        server.make_template()
        yield server
    finally:
        supervisor.stop()
        remove_own_socket_directory(data)
