"""What an idle fleet costs Postgres: two cheap questions a second, however many daemons and ended runs there are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import Engine, event, text

from app.broker.dispatcher import CeleryDispatcher, build_publisher
from app.services.maintenance.duties import Duties, Duty, start_here
from app.services.maintenance.heartbeats import HeartbeatCollector
from app.services.maintenance.ports import Heartbeat
from app.services.maintenance.sweeper import SweepDuties, Sweeper
from app.services.runs.lifecycle import RunLifecycle
from app.settings import Settings
from app.store.db.database import connect
from app.store.db.leadership import Leadership
from app.store.maintenance.daemons import DaemonStore
from app.store.maintenance.due_work import DueWorkReader
from app.store.runs.outbox import OutboxStore
from app.store.runs.runs import RunStore
from app.store.units.units import UnitStore

FLEET = 50
ENDED = 60_000

ENDED_RUNS = """
    with made as (insert into environment (id, name) values (gen_random_uuid(), 'ended') returning id)
    insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args, args_hash,
                              resources, sync_job, queue, created_at, rung_at, finished_at)
    select gen_random_uuid(), made.id, made.id, made.id, 'completed', '{}', '', '[]', '{}', 'q',
           now() - make_interval(secs => n), now() - make_interval(secs => n), now() - make_interval(secs => n)
      from made, generate_series(1, :rows) n
"""
ENDED_UNITS = """
    insert into unit (id, run_id, kind, status, rung_at)
    select gen_random_uuid(), id, 'fetch', 'done', rung_at from sync_job_run
"""
PARKED_UNITS = """
    insert into unit (id, run_id, kind, status, rung_at, wake_at)
    select gen_random_uuid(), id, 'fetch', 'ready', now() - interval '1 hour', now() + interval '1 day'
      from sync_job_run limit 20000
"""


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings(database_url="", broker_url="redis://localhost:1/0", encryption_key="")


@dataclass
class CountedEngine:
    """An engine that counts what it executes."""

    engine: Engine
    statements: list[str] = field(default_factory=list)


@pytest.fixture
def counted(direct_database_url: str) -> Iterator[CountedEngine]:
    found = CountedEngine(connect(direct_database_url, is_pooled=False))

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        found.statements.append(statement)

    event.listen(found.engine, "before_cursor_execute", note)
    yield found
    found.engine.dispose()


@dataclass
class FleetReports:
    """All daemons report every ten seconds."""

    daemon_ids: list[str]

    def collect(self, *, limit: int) -> Sequence[Heartbeat]:
        return [Heartbeat(daemon_id=daemon_id, silent_seconds=1.0) for daemon_id in self.daemon_ids]


class Noon:
    """A clock that stands."""

    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_sweeper(
    engine: Engine, settings: Settings, leadership: Leadership, monotonic: Callable[[], float], *others: Duty
) -> Sweeper:
    sweeping = SweepDuties(
        units=UnitStore(engine),
        runs=RunStore(engine),
        find_unsettled=RunStore(engine).unsettled,
        publish_waiting=OutboxStore(engine).publish_waiting,
        lifecycle=RunLifecycle.__new__(RunLifecycle),  # an idle sweep settles nothing
        dispatcher=CeleryDispatcher(build_publisher(settings.broker_url, timeout_seconds=0.1)),
        settings=settings,
        monotonic=monotonic,
    )
    return Sweeper(
        look=DueWorkReader(leadership, publish_after_seconds=2, ring_after_seconds=30).look,
        duties=Duties([*sweeping.build_duties(), *others], clock=Noon(), monotonic=monotonic, start=start_here),
    )


def test_idle_fleet_asks_postgres_at_most_twice_a_second(counted: CountedEngine, settings: Settings) -> None:
    now = [0.0]
    registry, ids = DaemonStore(counted.engine), [f"daemon-{number}" for number in range(FLEET)]
    for daemon_id in ids:
        registry.register(daemon_id, group_key="default", label=daemon_id, metadata={})
    fleet = [Leadership(counted.engine, silence_seconds=60, monotonic=lambda: now[0]) for _ in ids]
    heartbeat_collector = HeartbeatCollector(
        collect=partial(FleetReports(ids).collect, limit=2000),
        record=registry.record_heartbeats,
        silence_seconds=40,
        monotonic=lambda: now[0],
    )
    duty = Duty(name="roll call", do=heartbeat_collector.collect, every_seconds=settings.heartbeat_seconds)
    sweepers = [make_sweeper(counted.engine, settings, one, lambda: now[0], duty) for one in fleet]

    def live(seconds: int) -> None:
        for _ in range(seconds):
            now[0] += settings.sweep_seconds
            leaders = [sweeper for one, sweeper in zip(fleet, sweepers, strict=True) if one.is_held()]
            assert len(leaders) == 1
            leaders[0].sweep()

    live(30)
    counted.statements.clear()
    live(300)
    for one in fleet:
        one.resign()

    assert len(counted.statements) / 300 <= 2
    assert sum("outbox" in statement for statement in counted.statements) == 300
    assert registry.live_by_group(within_seconds=60) == {"default": FLEET}


def test_look_reads_a_handful_of_pages_beside_tens_of_thousands_of_ended_runs(
    counted: CountedEngine, settings: Settings
) -> None:
    with counted.engine.begin() as connection:
        connection.execute(text(ENDED_RUNS), {"rows": ENDED})
        connection.execute(text(ENDED_UNITS))
        connection.execute(text(PARKED_UNITS))
    with counted.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze unit, sync_job_run"))
    leadership = Leadership(counted.engine, silence_seconds=60)
    assert leadership.is_held()
    look = DueWorkReader(leadership, publish_after_seconds=2, ring_after_seconds=30)

    def cost(*, is_thorough: bool) -> tuple[int, set[str]]:
        counted.statements.clear()
        look.look(is_thorough=is_thorough)
        (statement,) = counted.statements
        return _explained(counted.engine, statement)

    prompt, thorough = cost(is_thorough=False), cost(is_thorough=True)
    leadership.resign()

    assert prompt[0] < 30
    assert thorough[0] < 60
    assert not (prompt[1] | thorough[1]) & {"Seq Scan on unit", "Seq Scan on sync_job_run"}


def _explained(engine: Engine, statement: str) -> tuple[int, set[str]]:
    """Run a statement; give how many pages it read, and what it did."""
    parameters = {"publish_after": 2, "ring_after": 30}
    with engine.connect() as connection:
        explain = connection.connection.cursor()
        explain.execute(f"explain (analyze, buffers, format json) {statement}", parameters)
        (plan,) = explain.fetchone()[0]  # type: ignore[index]
    nodes = list(_nodes(plan["Plan"]))
    pages = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    return pages, {f"{node['Node Type']} on {node.get('Relation Name')}" for node in nodes}


def _nodes(plan: dict[str, object]) -> Iterator[dict[str, object]]:
    yield plan
    for child in plan.get("Plans", []):  # type: ignore[attr-defined]
        yield from _nodes(child)
