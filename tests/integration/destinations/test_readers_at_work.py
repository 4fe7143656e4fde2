"""The rule that is never broken: what users have made survives, and readers wait for nothing for long.

Readers ask typed views and destination tables all the time while columns are added, a rebuild runs, retention removes
tombstones and an account is erased. ``make proofs`` does it with a million records.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import text

from app.store.maintenance.retention import RetentionStore
from tests.integration.store.schemas.conftest import make_learner
from tests.support.landing import Landing
from tests.support.target import TargetDatabase

IS_LONG: Final = os.environ.get("PROOFS") == "long"
RECORDS: Final = 1_000_000 if IS_LONG else 2_000
pytestmark = pytest.mark.timeout(3600 if IS_LONG else 600)
_COLUMNS: Final = 20 if IS_LONG else 4
_ROUNDS: Final = 2_000
_LONGEST_LOCK_SECONDS: Final = 4
"""Ferryman waits 3 seconds at most for a lock, and so do those behind it; a reader that waits longer is refused."""
_FILL: Final = """
    with log as (
        insert into account_log (integrated_account_id, last_sequence) values (:account, :count))
    insert into record (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id, sequence)
    select :account, 'tickets', n::text, jsonb_build_object('n', n, 'status', 'open', 'subject', 'printer ' || n), '',
           :account, n
      from generate_series(1, :count) n
"""
_MADE: Final = (
    "create view {0}.mine as select account_id, n, status from {0}.tickets where deleted_at is null",
    "create schema reports",
    "create view reports.by_status as select account_id, status, count(*) as tickets from {0}.mine group by 1, 2",
)
_MADE_AT_TARGET: Final = (
    *_MADE,
    "create index of_mine on acme.tickets (n)",
    "create role reader_at_work login",
    "grant usage on schema acme to reader_at_work",
    "grant select on acme.tickets, acme.mine to reader_at_work",
    "comment on table acme.tickets is 'ours too'",
)
# Nothing of it may change: objects are the same ones, no table was rewritten, columns are only ever added.
_KEPT: Final = """
    select c.oid::bigint, c.relname, c.relkind::text, c.relacl::text, obj_description(c.oid),
           case when c.relkind = 'r' then pg_relation_filenode(c.oid)::bigint end,
           (select array_agg(a.attname::text || a.atttypid::regtype || a.attnum order by a.attnum)
              from pg_attribute a where a.attrelid = c.oid and a.attnum between 1 and {columns})
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ('{schema}', 'reports') order by 1
"""
_ASKED: Final = (
    "select tickets from reports.by_status where account_id = %s",
    "select count(*) from {0}.mine where account_id = %s and n between 1 and 100000000",
    "select count(*) from {0}.tickets where account_id = %s and deleted_at is null",
)


@dataclass
class Readers:
    """Threads that ask the same questions without rest, and what they were answered."""

    account: str
    answers: set[int] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    longest: float = 0.0
    asked: int = 0
    _is_over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def asking(self, *places: tuple[Callable[[], psycopg.Connection[Any]], str]) -> Iterator[None]:
        """Ask in a schema on each connection until the block ends."""
        threads = [threading.Thread(target=self._ask, args=one, daemon=True) for one in places]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join(timeout=120)

    def _ask(self, connect: Callable[[], psycopg.Connection[Any]], schema: str) -> None:
        try:
            with connect() as connection:
                connection.autocommit = True
                connection.execute(f"set lock_timeout = '{_LONGEST_LOCK_SECONDS}s'")
                while not self._is_over.is_set():
                    for statement in _ASKED:
                        began = monotonic()
                        self.answers |= {row[0] for row in connection.execute(statement.format(schema), [self.account])}
                        self.longest = max(self.longest, monotonic() - began)
                        self.asked += 1
        except psycopg.Error as error:
            self.faults.append(f"{type(error).__name__}: {error}")


def test_readers_and_what_users_made_are_never_touched(landing: Landing, target: TargetDatabase) -> None:
    place = _Place(landing, target)
    readers = Readers(place.account)
    before = place.look()

    with readers.asking((place.connect_here, place.view_schema), *[(place.connect_there, "acme")] * 2):
        place.add_columns()
        place.rebuild()
        place.retain()
        place.erase()

    after = place.look()
    print(f"{readers.asked} questions, the slowest {readers.longest:.2f} s, at {RECORDS} records")
    assert readers.faults == []
    assert readers.answers == {RECORDS}
    assert readers.asked > 0
    assert after == before
    assert place.count_columns() == 6 + 3 + _COLUMNS
    assert landing.verify(place.destination).is_equal


class _Place:
    """A destination and typed views of the same records, each with objects of users on top."""

    def __init__(self, landing: Landing, target: TargetDatabase) -> None:
        self.landing, self.target = landing, target
        self.account, self.other = landing.account("kept"), landing.account("gone")
        self._learner = make_learner(landing.engine)
        with landing.engine.begin() as connection:
            connection.execute(text(_FILL), {"account": self.account, "count": RECORDS})
        landing.write(self.other, {str(n): {"n": n} for n in range(100)})
        self.destination = landing.destination(target.config)
        self._settle()
        with landing.engine.begin() as connection:
            schema = connection.execute(text("select distinct view_schema from resource_schema")).scalar_one()
            self.view_schema = f'"{schema}"'
            for statement in _MADE:
                connection.execute(text(statement.format(self.view_schema)))
        for statement in _MADE_AT_TARGET:
            target.execute(statement.format("acme"))

    def add_columns(self) -> None:
        for number in range(_COLUMNS):
            self.landing.write(
                self.other, {str(number): {"n": number, f"new_{number}": [number, 1.5, "x"][number % 3]}}
            )
            self._settle()

    def rebuild(self) -> None:
        self.target.execute(f"update acme.tickets set status = 'spoilt' where n = 7 and account_id = '{self.other}'")
        self.landing.api.landing.destinations.rebuild(self.landing.environment, self.destination)
        self._settle()

    def retain(self) -> None:
        """Delete records, and have retention remove their tombstones before the destination has read them."""
        service = self.landing.api.landing.destinations
        service.pause(self.landing.environment, self.destination)
        self.landing.write(self.other, {str(n): {"n": n} for n in range(50)}, deleted=True)
        with self.landing.engine.begin() as connection:
            connection.execute(
                text("update record set deleted_at = now() - interval '1 year' where deleted_at is not null")
            )
        assert RetentionStore(self.landing.engine).prune("tombstones", seconds=60, limit=1000) == 50
        service.resume(self.landing.environment, self.destination)
        self._settle()

    def erase(self) -> None:
        self.landing.erase(self.other, None)
        self._settle()

    def look(self) -> Sequence[Any]:
        """Return what users have made, here and at the target, and the tables and views below it."""
        with self.connect_here() as here, self.connect_there() as there:
            return [
                connection.execute(_KEPT.format(columns=9, schema=schema.strip('"'))).fetchall()
                for connection, schema in ((here, self.view_schema), (there, "acme"))
            ]

    def count_columns(self) -> int:
        counts = self.target.rows(
            "select count(*) from pg_attribute where attrelid = 'acme.tickets'::regclass and attnum > 0"
        )
        return int(counts[0][0])

    def connect_here(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.landing.url, autocommit=True)

    def connect_there(self) -> psycopg.Connection[Any]:
        return self.target.server.admin(self.target.name)

    def _settle(self) -> None:
        """Have all of it land, and views made of it; a table that a reader has locked is tried again."""
        for _ in range(50):
            self._learner.run_turn()
            self.landing.land(rounds=_ROUNDS, may_fail=True)
            progress = self.landing.api.landing.destinations.get(self.landing.environment, self.destination)
            if progress.status == "current":
                return
            self.landing.pass_time()
        pytest.fail(f"the destination is {progress.status}: {progress.progress.last_error}")
