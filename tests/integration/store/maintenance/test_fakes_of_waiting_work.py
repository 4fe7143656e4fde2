"""Work that waits for the leader: stores, and what stands for them in unit tests, do what their ports say."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.engine.ids import new_id
from app.engine.objects.accounts import Erasure
from app.engine.objects.environments import EnvironmentId
from app.engine.runs.work import WakeUp
from app.engine.status import DeliveryStatus
from app.services.maintenance.ports import Announcements, DueRows, Erasures, LostBefore, PrunableRows
from app.store.announcements.announcements import AnnouncementStore
from app.store.db.database import connect
from app.store.maintenance.erasures import ErasureStore
from app.store.maintenance.retention import RetentionStore
from app.store.runs.runs import RunStore
from app.store.units.units import UnitStore
from tests.support.rows import put
from tests.unit.services.maintenance.test_announcement_sender import FakeAnnouncements, event
from tests.unit.services.maintenance.test_erasure import FakeErasures
from tests.unit.services.maintenance.test_retention import Clock, FakePrunableRows
from tests.unit.services.maintenance.test_sweeper import FakeDueRuns, FakeDueUnits, Neglected

LONG_AGO = text("now() - interval '100 days'")
DAY = 86400.0
QUEUE = "daemon-group.blue"


@pytest.fixture(params=["fake", "real"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine | None]:
    """Postgres; None where a fake stands for it."""
    if request.param == "fake":
        yield None
        return
    engine = connect(request.getfixturevalue("database_url"))
    yield engine
    engine.dispose()


def put_run(engine: Engine, **values: Any) -> str:
    ids = {"environment_id": new_id(), "sync_job_id": new_id(), "integrated_account_id": new_id()}
    put(engine, "environment", id=ids["environment_id"], name=ids["environment_id"])
    shape: dict[str, Any] = {"args": {}, "args_hash": b"", "resources": [], "sync_job": {}, "queue": QUEUE}
    return put(engine, "sync_job_run", **{**ids, **shape, **values})


# Events of no run.


@dataclass
class Waiting:
    """Two events of one webhook, and one of a webhook that was deleted."""

    store: Announcements
    ids: Sequence[str]
    orphan: str

    def take(self, *, limit: int = 10, most_of_webhook: int = 10) -> dict[str, tuple[bool, int]]:
        """Take some; return whether each has an environment, and how often it was tried."""
        taken = self.store.take_due(limit=limit, most_of_webhook=most_of_webhook, lease_seconds=60)
        return {event.id: (environment is not None, event.attempts) for environment, event in taken}


@pytest.fixture
def waiting(engine: Engine | None) -> Waiting:
    if engine is None:
        fake = FakeAnnouncements([event(0), event(1), event(2, webhook_id="gone")])
        return Waiting(fake, ["event-0", "event-1"], "event-2")
    environment = put(engine, "environment", name="e")
    target = {"target_url": "https://receiver.test", "secret_encrypted": b""}
    webhook = put(engine, "webhook", environment_id=environment, **target)
    ids = [
        put(engine, "delivery", webhook_id=of, event="webhook:disabled", body=b"{}")
        for of in (webhook, webhook, new_id())
    ]
    return Waiting(AnnouncementStore(engine), ids[:2], ids[2])


def test_event_is_leased_once_and_without_an_environment_where_its_webhook_is_gone(waiting: Waiting) -> None:
    assert waiting.take() == {waiting.ids[0]: (True, 0), waiting.ids[1]: (True, 0), waiting.orphan: (False, 0)}
    assert waiting.take() == {}


def test_events_are_taken_as_many_as_their_webhook_may_have_under_way(waiting: Waiting) -> None:
    assert len(waiting.take(limit=1)) == 1
    assert len(waiting.take(most_of_webhook=1)) == 1
    assert waiting.take(most_of_webhook=1) == {}
    assert len(waiting.take(most_of_webhook=2)) == 1


def test_event_that_was_released_or_failed_is_due_again_after_its_time(waiting: Waiting) -> None:
    first, second = waiting.ids
    waiting.take()

    waiting.store.release(first, wake_seconds=0)
    waiting.store.record_failed_attempt(second, status_code=503, error="busy", wake_seconds=0)
    waiting.store.release(waiting.orphan, wake_seconds=60)

    assert waiting.take() == {first: (True, 0), second: (True, 1)}


def test_event_that_is_settled_is_over(waiting: Waiting) -> None:
    waiting.take()

    for id in (*waiting.ids, waiting.orphan):
        waiting.store.settle(id, DeliveryStatus.DEAD_LETTERED, status_code=500, error="no")

    assert waiting.take() == {}


# Erasures.


@dataclass
class Erasing:
    """The erasure of a resource with three records."""

    store: Erasures
    one: Erasure
    account_id: str
    add_run: Callable[[], str]
    read_error: Callable[[], str | None]

    def is_due(self) -> bool:
        return self.one.id in [one.id for one in self.store.find_due(skipped=[], limit=10)]


def _fake_erasing() -> Erasing:
    fake = FakeErasures(rows={"a": 3}, resources={"a": "users"})
    (one,) = fake.find_due(skipped=[], limit=1)

    def add_run() -> str:
        fake.live.setdefault(one.integrated_account_id, []).append(id := new_id())
        return id

    return Erasing(fake, one, one.integrated_account_id, add_run, lambda: fake.told.get("a"))


def _real_erasing(engine: Engine) -> Erasing:
    environment = put(engine, "environment", name="e")
    known = {"environment_id": environment, "integrated_account_id": new_id()}
    fixed = {"resource": "users", "data": {}, "content_hash": b"", "sync_job_run_id": new_id()}
    account_id = known["integrated_account_id"]
    for number in range(3):
        put(engine, "record", integrated_account_id=account_id, remote_id=str(number), sequence=number + 1, **fixed)
    store = ErasureStore(engine)
    one = store.create_of_resource(EnvironmentId(environment), account_id, "users")

    def add_run() -> str:
        shape: dict[str, Any] = {"args": {}, "args_hash": b"", "resources": [], "sync_job": {}, "queue": QUEUE}
        return put(engine, "sync_job_run", status="running", sync_job_id=new_id(), **known, **shape)

    def read_error() -> str | None:
        found = store.get(EnvironmentId(environment), one.id)
        assert found is not None
        return found.last_error

    return Erasing(store, one, account_id, add_run, read_error)


@pytest.fixture
def erasing(engine: Engine | None) -> Erasing:
    return _fake_erasing() if engine is None else _real_erasing(engine)


def test_erasure_is_over_once_a_batch_finds_nothing(erasing: Erasing) -> None:
    erasing.store.begin(erasing.one.id)

    batches = [erasing.store.erase_some(erasing.one, limit=2) for _ in range(2)]

    assert (batches, erasing.is_due()) == ([True, True], True)
    assert erasing.store.erase_some(erasing.one, limit=2) is False
    assert erasing.is_due() is False


def test_erasure_that_may_not_finish_stays_due(erasing: Erasing) -> None:
    batches = [erasing.store.erase_some(erasing.one, limit=9, may_finish=False) for _ in range(2)]

    assert (batches, erasing.is_due()) == ([True, False], True)
    assert erasing.store.find_due(skipped=[erasing.one.id], limit=10) == []


def test_runs_of_an_account_that_live_are_found(erasing: Erasing) -> None:
    assert list(erasing.store.find_live_runs(erasing.account_id, limit=9)) == []

    runs = {erasing.add_run() for _ in range(2)}

    assert set(erasing.store.find_live_runs(erasing.account_id, limit=9)) == runs
    assert len(erasing.store.find_live_runs(erasing.account_id, limit=1)) == 1


def test_what_keeps_an_erasure_is_recorded(erasing: Erasing) -> None:
    assert erasing.read_error() is None

    erasing.store.record_error(erasing.one.id, "it broke")

    assert erasing.read_error() == "it broke"


# What is over.


@dataclass
class Prunable:
    """Three daemons that stopped long ago; two ended runs with three and no rows, and one that is still needed."""

    store: PrunableRows
    runs: Sequence[str]
    needed: str


@pytest.fixture
def prunable(engine: Engine | None) -> Prunable:
    if engine is None:
        fake = FakePrunableRows(Clock(), rows={"daemons": [1, 2, 3]}, runs={"a": 3, "b": 0, "c": 1})
        fake.kept_runs = frozenset({"c"})
        return Prunable(fake, ["a", "b"], "c")
    for number in range(3):
        put(engine, "daemon", id=f"d{number}", label="", group_key="g", status="stopped", updated_at=LONG_AGO)
    runs = [put_run(engine, status="failed", finished_at=LONG_AGO, started_at=LONG_AGO) for _ in range(3)]
    for _ in range(3):
        put(engine, "run_error", run_id=runs[0], code="x", message="x", environment_id=new_id())
    put(engine, "delivery", run_id=runs[2], webhook_id=new_id(), event="record", body=b"{}")
    return Prunable(RetentionStore(engine), runs[:2], runs[2])


def test_rows_are_pruned_some_at_a_time_behind_those_to_be_skipped(prunable: Prunable) -> None:
    def prune(**terms: int) -> int:
        return prunable.store.prune("daemons", seconds=DAY, **terms)

    assert [prune(limit=5, skip=2), prune(limit=1), prune(limit=5), prune(limit=5)] == [1, 1, 1, 0]


def test_expired_runs_are_found_on_from_a_place(prunable: Prunable) -> None:
    found = prunable.store.find_expired_runs(seconds=DAY, after=None, limit=2)

    rest = prunable.store.find_expired_runs(seconds=DAY, after=found[-1].place, limit=2)

    may_go = {run.id: run.may_go for run in (*found, *rest)}
    assert may_go == {**dict.fromkeys(prunable.runs, True), prunable.needed: False}
    assert [len(found), len(rest)] == [2, 1]


def test_runs_are_pruned_row_by_row_and_last_themselves(prunable: Prunable) -> None:
    batches = [prunable.store.prune_runs(prunable.runs, seconds=DAY, limit=2) for _ in range(2)]

    assert [(batch.rows, batch.is_done) for batch in batches] == [(2, False), (3, True)]
    assert [run.id for run in prunable.store.find_expired_runs(seconds=DAY, after=None, limit=9)] == [prunable.needed]


# What nobody came for.


@dataclass
class Due:
    """Two rows that nobody came for."""

    store: DueRows[Any]
    ids: set[str]
    id_of: Callable[[Any], str]

    def dispatch(self, lost: Mapping[str, LostBefore], *, limit: int = 9) -> list[str]:
        return [self.id_of(one) for one in self.store.dispatch_due(lost, ring_after_seconds=5, limit=limit)]


def _unit_id(dispatched: WakeUp) -> str:
    return dispatched.unit_id


def _run_id(dispatched: tuple[str, str]) -> str:
    return dispatched[0]


@pytest.fixture(params=["units", "runs"])
def due(engine: Engine | None, request: pytest.FixtureRequest) -> Due:
    is_units = request.param == "units"
    if engine is None:
        ids = [new_id() for _ in range(2)]
        neglected = Neglected(
            units=[WakeUp(run_id="run", unit_id=id, queue=QUEUE) for id in ids], runs=[(id, QUEUE) for id in ids]
        )
        return (
            Due(FakeDueUnits(neglected), set(ids), _unit_id)
            if is_units
            else Due(FakeDueRuns(neglected), set(ids), _run_id)
        )
    if not is_units:
        runs = [put_run(engine, status="created", rung_at=LONG_AGO, updated_at=LONG_AGO) for _ in range(2)]
        return Due(RunStore(engine), set(runs), _run_id)
    run = put_run(engine, status="running", begun_at=LONG_AGO)
    times = {"rung_at": LONG_AGO, "updated_at": LONG_AGO}
    units = [put(engine, "unit", run_id=run, kind="fetch", status="ready", elements=[{}], **times) for _ in range(2)]
    return Due(UnitStore(engine), set(units), _unit_id)


LOST = {QUEUE: LostBefore(at=datetime.now(UTC) + timedelta(days=1), is_empty=True)}


def test_rows_are_dispatched_again_once_where_their_queue_has_lost_them(due: Due) -> None:
    assert list(due.store.find_due_queues(ring_after_seconds=5)) == [QUEUE]
    assert due.dispatch({}) == []

    first, second = due.dispatch(LOST, limit=1), due.dispatch(LOST)

    assert (len(first), {*first, *second}) == (1, due.ids)
    assert due.dispatch({QUEUE: LostBefore(at=datetime.now(UTC) - timedelta(days=1), is_empty=True)}) == []
    assert list(due.store.find_due_queues(ring_after_seconds=5)) == []


def test_row_whose_message_was_not_taken_is_due_again(due: Due) -> None:
    dispatched = due.dispatch(LOST)

    due.store.redispatch(dispatched[:1])

    assert due.dispatch(LOST) == dispatched[:1]
