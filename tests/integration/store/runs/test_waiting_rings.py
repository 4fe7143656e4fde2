"""What waits in a queue is not rung again; what is lost is, soon where the queue is empty and later each time else."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from app.engine.ids import new_id
from app.services.maintenance.ports import LostBefore
from app.services.maintenance.sweeper import QueueHeads
from app.services.ports import QueueState
from app.store.db.database import connect
from app.store.runs.runs import RunStore
from app.store.units.units import UnitStore

QUEUE = "queue"
RING_AFTER = 30.0
LATER = datetime(9999, 1, 1, tzinfo=UTC)
EMPTY = {QUEUE: LostBefore(at=LATER, is_empty=True)}
UNSEEN = {QUEUE: LostBefore(at=LATER, is_empty=False)}
_RUNS = """
    insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, args, args_hash, resources,
                              sync_job, queue, rung_at, created_at, updated_at, status, begun_at)
    select gen_random_uuid(), environment.id, environment.id, environment.id, '{}', '', '[]', '{}', 'queue',
           now() - make_interval(secs => :rung_ago), now() - make_interval(secs => :ago),
           now() - make_interval(secs => :ago), :status, case when :status = 'running' then now() end
      from environment, generate_series(1, :runs)
 returning id
"""
_UNIT = """
    insert into unit (id, run_id, kind, status, rung_at, updated_at, lease_expires_at)
    values (gen_random_uuid(), :run_id, 'fetch', :status, now() - make_interval(secs => :rung_ago),
            now() - make_interval(secs => :ago), now() - make_interval(secs => :ago))
"""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url, pool_size=2)
    with engine.begin() as connection:
        connection.execute(text("insert into environment (id, name) values (:id, 'e')"), {"id": new_id()})
    yield engine
    engine.dispose()


def make_runs(engine: Engine, runs: int, *, rung_ago: float, ago: float, status: str = "created") -> list[str]:
    values = {"runs": runs, "rung_ago": rung_ago, "ago": ago, "status": status}
    with engine.begin() as connection:
        return [str(id) for id in connection.execute(text(_RUNS), values).scalars()]


@pytest.mark.parametrize("of", ["run", "unheard unit", "unit whose worker is gone"])
@pytest.mark.parametrize(
    ("rung_ago", "ago", "lost", "is_rung"),
    [
        (31.0, 31.0, UNSEEN, True),
        (29.0, 29.0, UNSEEN, False),
        (50.0, 110.0, UNSEEN, False),
        (61.0, 121.0, UNSEEN, True),
        (599.0, 4000.0, UNSEEN, False),
        (601.0, 4000.0, UNSEEN, True),
        (50.0, 110.0, EMPTY, True),
        (29.0, 4000.0, EMPTY, False),
    ],
    ids=["first", "too-soon", "second-too-soon", "second", "tenth-too-soon", "longest", "empty", "empty-too-soon"],
)
def test_ring_is_repeated_later_each_time_and_at_once_in_an_empty_queue(
    engine: Engine, of: str, rung_ago: float, ago: float, lost: Mapping[str, LostBefore], is_rung: bool
) -> None:
    is_unit = of != "run"
    (run_id,) = make_runs(engine, 1, rung_ago=rung_ago, ago=ago, status="running" if is_unit else "created")
    if is_unit:
        status = "ready" if "unheard" in of else "leased"
        # The first ring for a lease that has expired is another one.
        values = {"run_id": run_id, "status": status, "rung_ago": rung_ago, "ago": ago + (status == "leased")}
        with engine.begin() as connection:
            connection.execute(text(_UNIT), values)
        store = UnitStore(engine)
        rung = [dispatch.run_id for dispatch in store.dispatch_due(lost, ring_after_seconds=RING_AFTER, limit=10)]
    else:
        rung = [id for id, _ in RunStore(engine).dispatch_due(lost, ring_after_seconds=RING_AFTER, limit=10)]

    assert rung == ([run_id] if is_rung else [])


def test_lease_that_has_just_expired_is_rung_for_at_once_however_long_the_queue(engine: Engine) -> None:
    (run_id,) = make_runs(engine, 1, rung_ago=900.0, ago=900.0, status="running")
    waits = {QUEUE: LostBefore(at=datetime(1970, 1, 1, tzinfo=UTC), is_empty=False)}
    values = {"run_id": run_id, "status": "leased", "rung_ago": 900.0, "ago": 1.0}
    with engine.begin() as connection:
        connection.execute(text(_UNIT), values)
    units = UnitStore(engine)

    assert units.find_due_queues(ring_after_seconds=RING_AFTER) == [QUEUE]
    assert [dispatch.run_id for dispatch in units.dispatch_due(waits, ring_after_seconds=RING_AFTER)] == [run_id]
    assert units.dispatch_due(waits, ring_after_seconds=RING_AFTER) == []


@pytest.mark.parametrize("kind", ["run", "parked", "unheard", "expired"])
def test_what_the_broker_did_not_take_is_rung_for_at_the_next_look(engine: Engine, kind: str) -> None:
    status = {"run": "created", "expired": "leased"}.get(kind, "ready")
    (run_id,) = make_runs(engine, 1, rung_ago=900.0, ago=900.0, status="created" if kind == "run" else "running")
    store: UnitStore | RunStore = RunStore(engine) if kind == "run" else UnitStore(engine)
    if kind != "run":
        with engine.begin() as connection:
            values = {"run_id": run_id, "status": status, "rung_ago": 900.0, "ago": 899.0}
            connection.execute(text(_UNIT), values)
            if kind == "parked":
                connection.execute(text("update unit set wake_at = now() - interval '2 s'"))

    def dispatch() -> list[str]:
        due = store.dispatch_due(UNSEEN, ring_after_seconds=RING_AFTER, limit=10)
        return [one[0] if isinstance(one, tuple) else one.unit_id for one in due]

    ids = dispatch()
    assert (len(ids), dispatch()) == (1, [])
    store.redispatch(ids)

    assert (dispatch(), dispatch()) == (ids, [])


@dataclass
class SlowQueue:
    """A queue that few workers take from, slowly, while virtual time passes; each holds one message more."""

    engine: Engine
    workers: int
    seconds_each: float
    now: float = 0.0
    waiting: deque[tuple[str, float]] = field(default_factory=deque)
    """Run and when it was rung, the next one first."""
    held: deque[str] = field(default_factory=deque)
    """What was taken and has not begun."""
    begun: dict[str, float] = field(default_factory=dict)
    """Each run that has begun, and until when it takes its worker."""
    rung: int = 0

    def __post_init__(self) -> None:
        self.began = datetime.now(UTC)
        self.runs = RunStore(self.engine)
        self.heads = QueueHeads(self.look_at, settle_seconds=0.6 * RING_AFTER, monotonic=lambda: self.now)

    def look_at(self, queues: Sequence[str]) -> Mapping[str, QueueState]:
        if not self.waiting:
            return {queue: QueueState(is_empty=True, is_timed=True) for queue in queues}
        sent_at = self.began + timedelta(seconds=self.waiting[0][1])
        return {queue: QueueState(is_empty=False, is_timed=True, next_sent_at=sent_at) for queue in queues}

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        free = self.workers - sum(until > self.now for until in self.begun.values())
        while self.waiting and len(self.held) < self.workers + free:
            self.held.append(self.waiting.popleft()[0])
        taken = [self.held.popleft() for _ in range(min(free, len(self.held)))]
        # A message about a run that has begun already costs its worker a look.
        self.begun |= {id: self.now + self.seconds_each for id in taken if id not in self.begun}
        passed = text("""
            update sync_job_run set rung_at = rung_at - make_interval(secs => :seconds),
                                    updated_at = updated_at - make_interval(secs => :seconds)
        """)
        begin = text(
            "update sync_job_run set status = 'running', begun_at = now() where id = any(cast(:ids as uuid[]))"
        )
        with self.engine.begin() as connection:
            connection.execute(passed, {"seconds": seconds})
            connection.execute(begin, {"ids": taken})

    def sweep(self) -> None:
        queues = self.runs.find_due_queues(ring_after_seconds=RING_AFTER)
        # As far in the past as pass_time has moved the rows.
        lost = {
            queue: one if one.is_empty else replace(one, at=one.at - timedelta(seconds=self.now))
            for queue, one in self.heads.find_lost(queues).items()
        }
        found = self.runs.dispatch_due(lost, ring_after_seconds=RING_AFTER, limit=10_000)
        self.waiting.extend((id, self.now) for id, _ in found)
        self.rung += len(found)


def slow_queue(engine: Engine, runs: int) -> SlowQueue:
    queue = SlowQueue(engine, workers=16, seconds_each=20.0)
    queue.waiting.extend((id, 0.0) for id in make_runs(engine, runs, rung_ago=0.0, ago=0.0))
    return queue


def test_hundreds_of_slow_runs_leave_hardly_a_stale_message(engine: Engine) -> None:
    runs = 300
    queue = slow_queue(engine, runs)

    while len(queue.begun) < runs:
        queue.pass_time(5.0)
        queue.sweep()

    assert queue.now > 10 * RING_AFTER
    # What the workers held when the queue ran empty.
    assert queue.rung <= queue.workers


def test_queue_that_is_emptied_is_filled_again_within_thirty_seconds(engine: Engine) -> None:
    runs = 100
    queue = slow_queue(engine, runs)
    queue.pass_time(60.0)
    queue.sweep()

    queue.waiting.clear()
    lost = runs - len(queue.begun) - len(queue.held)
    queue.pass_time(5.0)
    queue.sweep()

    assert queue.rung >= lost > 50


def test_half_of_a_queue_that_is_lost_is_found_by_what_comes_after_it(engine: Engine) -> None:
    queue = slow_queue(engine, 80)
    queue.pass_time(5.0)
    lost = {id for id, _ in queue.waiting}
    queue.waiting.clear()
    queue.pass_time(15.0)
    later = make_runs(engine, 200, rung_ago=0.0, ago=0.0)
    queue.waiting.extend((id, queue.now) for id in later)

    for _ in range(11):
        queue.pass_time(5.0)
        queue.sweep()

    assert len(lost) > 40
    assert {id for id, rung_at in queue.waiting if rung_at > 20.0} | queue.begun.keys() >= lost
    assert queue.rung == len(lost)
