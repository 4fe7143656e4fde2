"""The database of the proofs: it can stop a process at a commit, let time pass, and tell what a run came to."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, text

from app.engine.json_types import JSON, JsonObject
from app.services.units.lease_keeper import LeaseKeeper
from app.store import tables
from app.store.db.autocommit import autocommit_of, sql_of
from app.store.db.database import connect, reading
from tests.support.servers import PostgresServer

_PASS_TIME = (
    "update unit set lease_expires_at = lease_expires_at - :time, wake_at = wake_at - :time, "
    "rung_at = rung_at - :time where run_id = :run_id",
    "update sync_job_run set rung_at = rung_at - :time, updated_at = updated_at - :time where id = :run_id",
    "update outbox set created_at = created_at - :time",
)

_IS_OVER = text("""
    select r.status in ('completed', 'failed', 'stopped')
           and not exists (select from unit u where u.run_id = r.id and u.status in ('ready', 'leased', 'blocked'))
           and not exists (select from delivery d where d.run_id = r.id and d.status = 'pending')
      from sync_job_run r where r.id = :run_id
""")


class KilledError(BaseException):
    """The process is dead; nobody may catch this but who started it."""


class Commits:
    """Counts the commits of an engine, and kills right before or right after one of them."""

    def __init__(self, engine: Engine) -> None:
        self.count = 0
        self.kill_before = 0
        self.kill_after = 0
        self.kills_by_chance: Callable[[], bool] = lambda: False
        self._commit: Callable[[Any], None] = engine.dialect.do_commit
        setattr(engine.dialect, "do_commit", self._counted)  # noqa: B010
        singles = autocommit_of(engine)
        self._one, self._count = singles.one, singles.count
        singles.one, singles.count = self._counted_one, self._counted_count  # type: ignore[method-assign]

    def _counted(self, connection: Any) -> None:
        with self._around_commit():
            self._commit(connection)

    def _counted_count(self, statement: Any, values: Any) -> int:
        with self._around_commit():
            return self._count(statement, values)

    def _counted_one(self, statement: Any, values: Any) -> Any:
        is_change = sql_of(statement).lstrip().startswith((b"update", b"with"))
        if not is_change or threading.current_thread().name == LeaseKeeper.THREAD:
            # What only the clock brings about would make every count another.
            return self._one(statement, values)
        with self._around_commit():
            return self._one(statement, values)

    @contextmanager
    def _around_commit(self) -> Iterator[None]:
        self.count += 1
        if self.count == self.kill_before or self.kills_by_chance():
            raise KilledError
        number = self.count
        yield
        if number == self.kill_after:
            raise KilledError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to, without what may differ between two runs: ids, times, and how records were batched."""

    run: JsonObject
    resources: Sequence[JsonObject]
    records: Mapping[tuple[str, str], JSON]
    errors: Sequence[JsonObject]
    events: Sequence[str]
    """What the deliveries are, in order, neighbours alike told once."""
    delivered: Mapping[str, int]
    """Each delivered record and error, with how many deliveries hold it."""
    unfinished: Sequence[JsonObject]
    """Units and deliveries that should have ended."""


@dataclass(slots=True)
class PumpDatabase:
    """One database for many runs, each of which may be looked at apart."""

    url: str
    session_url: str = ""
    """Past the pooler, if there is one: for who leads."""
    engine: Engine = field(init=False)
    """For looking and for letting time pass; processes have engines of their own."""

    def __post_init__(self) -> None:
        self.engine = connect(self.url, pool_size=2)
        with self.engine.begin() as connection:
            name = connection.execute(text("select current_database()")).scalar_one()
            # Nobody pulls the plug here: a commit need not wait for the disk.
            connection.execute(text(f'alter database "{name}" set synchronous_commit = off'))
            connection.execute(
                text(
                    "insert into daemon (id, label, group_key, status, last_active_at) "
                    "values ('pump', 'pump', 'default', 'active', now() + interval '1 year')"
                )
            )
        self.engine.dispose()

    @classmethod
    @contextmanager
    def on(cls, server: PostgresServer) -> Iterator["PumpDatabase"]:
        """Make one on a server, for as long as a block lasts."""
        with server.fresh_database() as url:
            database = cls(url, server.past_pooler(url))
            yield database
            database.engine.dispose()

    def prune_announcements(self) -> None:
        """Drop the events of no run that earlier tests have left: whoever sweeps would send them."""
        with self.engine.begin() as connection:
            connection.execute(text("delete from delivery where run_id is null and status = 'pending'"))

    def pass_time(self, run_id: str, seconds: float = 3600.0) -> None:
        """Move a run's leases, timers and rings into the past: waiting without waiting."""
        with self.engine.begin() as connection:
            for statement in _PASS_TIME:
                sql = statement.replace(":time", "make_interval(secs => :seconds)")
                bound = {"run_id": run_id} if ":run_id" in sql else {}
                connection.execute(text(sql), {"seconds": seconds, **bound})

    def is_over(self, run_id: str) -> bool:
        """Whether nothing is left of the run."""
        with self.engine.connect() as connection:
            return bool(connection.execute(_IS_OVER, {"run_id": run_id}).scalar_one())

    def outcome(self, run_id: str) -> Outcome:
        """Return what the run came to."""
        with reading(self.engine) as connection:
            look = _Look(connection, run_id)
            return Outcome(
                run=look.run(),
                resources=look.resources(),
                records=look.records(),
                errors=look.errors(),
                events=look.events(),
                delivered=look.delivered(),
                unfinished=look.unfinished(),
            )

    def yields_after_each_page(self, run_id: str) -> bool:
        """Whether no unit of the run wrote two pages in one slice."""
        with self.engine.connect() as connection:
            sql = text("select bool_and(slices >= pages) from unit where run_id = :run_id and kind = 'fetch'")
            return bool(connection.execute(sql, {"run_id": run_id}).scalar_one())

    def event_ids(self, run_id: str) -> list[str]:
        """List the run's events in the order in which they must be delivered."""
        with self.engine.connect() as connection:
            sql = text("select id from delivery where run_id = :run_id order by sequence")
            return [str(id) for id in connection.execute(sql, {"run_id": run_id}).scalars()]


@dataclass(frozen=True, slots=True)
class _Look:
    connection: Connection
    run_id: str

    def rows(self, sql: str) -> list[JsonObject]:
        return [dict(row) for row in self.connection.execute(text(sql), {"run_id": self.run_id}).mappings()]

    def run(self) -> JsonObject:
        (run,) = self.rows("select status, error from sync_job_run where id = :run_id")
        error = run["error"]
        shown = {name: error[name] for name in ("code", "message", "resource")} if error else None
        return {"status": run["status"], "error": shown}

    def resources(self) -> list[JsonObject]:
        return self.rows(
            f"select name, status, next_run_date is not null as is_held, {', '.join(tables.COUNTERS)} "
            "from run_resource where run_id = :run_id order by name"
        )

    def records(self) -> dict[tuple[str, str], JSON]:
        rows = self.rows(
            "select resource, remote_id, data from record where deleted_at is null and integrated_account_id = "
            "(select integrated_account_id from sync_job_run where id = :run_id)"
        )
        return {(row["resource"], row["remote_id"]): row["data"] for row in rows}

    def errors(self) -> list[JsonObject]:
        rows = self.rows("select resource, method, code, message, details from run_error where run_id = :run_id")
        return sorted(rows, key=_text)

    def bodies(self) -> list[JsonObject]:
        rows = self.rows("select status, body from delivery where run_id = :run_id order by sequence")
        return [{**orjson.loads(row["body"]), "status": row["status"]} for row in rows]

    def events(self) -> list[str]:
        kinds = [body["event"].removeprefix("sync_job_run:") for body in self.bodies()]
        between = {"record", "record_error"}
        return [*kinds[:1], *sorted(between.intersection(kinds)), *kinds[-1:]]

    def delivered(self) -> dict[str, int]:
        seen: Counter[str] = Counter()
        for body in self.bodies():
            payload = body["payload"]
            held = [
                *payload.get("records", ()),
                *payload.get("errors", ()),
                *([payload.get("error")] * ("errors" not in payload)),
            ]
            seen.update(
                _text([payload.get("resource"), body["status"], item]) for item in held if item and "at" not in item
            )
        return dict(seen)

    def unfinished(self) -> list[JsonObject]:
        return self.rows(
            "select kind, status, lease_owner is null as is_free from unit where run_id = :run_id "
            "and (status not in ('done', 'cancelled') or lease_owner is not null and status <> 'done') "
            "union all select 'event', status, true from delivery where run_id = :run_id and status <> 'delivered'"
        )


def _text(value: JSON) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
