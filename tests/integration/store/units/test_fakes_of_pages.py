"""Page writes and deliveries: stores, and what stands for them in unit tests, do what their ports say."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.engine.errors import LeaseLostError
from app.engine.ids import new_id
from app.engine.records.rows import RecordBatch
from app.engine.runs.work import Claim, EventDraft, PageWrite, PendingEvent, UnitDraft, UnitKind, WakeUp
from app.engine.status import DeliveryStatus, UnitStatus
from app.services.units.ports import Deliveries, Pages, Units
from app.store.db.database import connect
from app.store.deliveries.deliveries import DeliveryStore
from app.store.units.pages import PageStore
from app.store.units.units import UnitStore
from tests.support.claiming import terms
from tests.support.rows import put
from tests.unit.services.service_world import DELIVERY_UNIT, FakeDeliveries, FakePages, FakeUnits


@dataclass
class Subject:
    """A run with a webhook, one fetching unit and its delivery unit, both of them free."""

    units: Units
    pages: Pages
    deliveries: Deliveries
    run_id: str
    resource_id: str
    fetching: str
    delivering: str
    webhook_id: str
    lose: Callable[[str], object]
    """Lets another worker take a unit."""

    def claim(self, unit_id: str) -> Claim:
        claim = self.units.claim(unit_id, terms())
        assert claim is not None
        return claim

    def event(self, event: str = "sync_job_run:record") -> EventDraft:
        facts = {"webhook_id": self.webhook_id, "event": event, "body": b"{}", "resource_id": self.resource_id}
        return EventDraft(id=new_id(), records=1 if event.endswith("record") else 0, **facts)  # type: ignore[arg-type]

    def write(self, claim: Claim, **fields: Any) -> str | None:
        facts = {"account_id": self.run_id, "resource": "tickets", "lease_seconds": 15, "frontier": {"next": 1}}
        return self.pages.write(PageWrite(claim=claim, **{**facts, **fields}))

    def queue(self, *events: EventDraft) -> Claim:
        """Write a page with events; return the lease of the delivery unit that sends them."""
        claim = self.claim(self.fetching)
        assert self.write(claim, events=events) == self.delivering
        self.units.hand_back(claim)
        return self.claim(self.delivering)

    def settle(self, claim: Claim, event: PendingEvent, *, backlog_limit: int = 9) -> list[WakeUp]:
        terms: dict[str, Any] = {"status_code": 204, "error": None, "lease_seconds": 9, "backlog_limit": backlog_limit}
        return self.deliveries.settle(claim, event, DeliveryStatus.DELIVERED, **terms)

    def next(self) -> PendingEvent | None:
        return self.deliveries.find_next_event(self.run_id)


def fake() -> Subject:
    units, fetching = FakeUnits(), new_id()
    units.add(UnitDraft(id=fetching, resource_id="resource", elements=[{}]))
    units.add(UnitDraft(id=DELIVERY_UNIT, resource_id=None, kind=UnitKind.DELIVERY))
    deliveries = FakeDeliveries(units)
    pages = FakePages(units, deliveries)
    return Subject(units, pages, deliveries, "run", "resource", fetching, DELIVERY_UNIT, "webhook", units.lose)


def real(engine: Engine) -> Subject:
    known = {"environment_id": put(engine, "environment", name="e"), "sync_job_id": new_id()}
    target = {"target_url": "https://receiver.test", "secret_encrypted": b""}
    webhook = put(engine, "webhook", environment_id=known["environment_id"], **target)
    run = new_id()
    shape: dict[str, Any] = {"args": {}, "args_hash": b"", "resources": [], "sync_job": {}, "queue": "rapid-bridge"}
    put(
        engine,
        "sync_job_run",
        id=run,
        status="running",
        integrated_account_id=run,
        webhook_id=webhook,
        **known,
        **shape,
    )
    named = {"name": "tickets", "resource": "tickets", "method": "list", "persist": True, "position": 0}
    resource = put(engine, "run_resource", run_id=run, **named)
    fetching = put(engine, "unit", run_id=run, resource_id=resource, kind="fetch", status="ready", elements=[{}])
    delivering = put(engine, "unit", run_id=run, kind="delivery", status="ready", elements=[])

    def lose(unit_id: str) -> None:
        with engine.begin() as connection:
            statement = text("update unit set fencing_token = fencing_token + 1 where id = :id")
            connection.execute(statement, {"id": unit_id})

    stores = (UnitStore(engine), PageStore(engine), DeliveryStore(engine))
    return Subject(*stores, run, resource, fetching, delivering, webhook, lose)


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param == "fake":
        yield fake()
        return
    engine = connect(request.getfixturevalue("database_url"))
    yield real(engine)
    engine.dispose()


def test_page_moves_its_frontier_and_makes_units_of_its_children(subject: Subject) -> None:
    claim, child = subject.claim(subject.fetching), new_id()
    children = [UnitDraft(id=child, resource_id=subject.resource_id, elements=[{"parent": 1}])]

    assert subject.write(claim, records=RecordBatch([{"id": 1}]), children=children) is None

    assert subject.claim(child).elements == [{"parent": 1}]
    subject.units.hand_back(claim)
    assert subject.claim(subject.fetching).frontier == {"next": 1}


def test_page_that_ends_its_unit_leaves_nothing_to_claim(subject: Subject) -> None:
    subject.write(subject.claim(subject.fetching), end=UnitStatus.DONE)

    assert subject.units.claim(subject.fetching, terms()) is None


def test_page_whose_lease_is_lost_writes_nothing(subject: Subject) -> None:
    claim = subject.claim(subject.fetching)
    subject.lose(subject.fetching)

    with pytest.raises(LeaseLostError):
        subject.write(claim, events=[subject.event()])

    assert subject.next() is None


def test_events_are_settled_in_their_order(subject: Subject) -> None:
    first, second = subject.event(), subject.event()
    claim = subject.queue(first, second)

    found = subject.next()
    assert found is not None
    assert (found.id, found.records, found.attempts) == (first.id, 1, 0)
    subject.deliveries.record_failed_attempt(found, status_code=503, error="busy")
    again = subject.next()
    assert again is not None
    assert (again.id, again.attempts) == (first.id, 1)
    subject.settle(claim, again)

    after = subject.next()
    assert after is not None
    assert after.id == second.id


def test_event_is_settled_by_its_lease_alone(subject: Subject) -> None:
    claim = subject.queue(subject.event())
    found = subject.next()
    assert found is not None
    subject.lose(subject.delivering)

    with pytest.raises(LeaseLostError):
        subject.settle(claim, found)

    assert subject.next() == found


def test_event_is_replaced_by_its_parts_in_its_place(subject: Subject) -> None:
    claim = subject.queue(subject.event(), subject.event())
    found = subject.next()
    assert found is not None
    parts = [subject.event(), subject.event()]

    subject.deliveries.split(claim, found, parts, status_code=413, error="too large", lease_seconds=9)

    order = []
    while (one := subject.next()) is not None:
        order.append(one.id)
        subject.settle(claim, one)
    assert (order[:2], len(order)) == ([part.id for part in parts], 3)


def test_delivery_unit_goes_idle_once_nothing_is_left_to_send(subject: Subject) -> None:
    claim = subject.queue(subject.event())
    found = subject.next()
    assert found is not None
    assert subject.deliveries.go_idle(claim, run_is_final=False, lease_seconds=9) is False

    subject.settle(claim, found)

    assert subject.deliveries.go_idle(claim, run_is_final=False, lease_seconds=9) is True
    assert subject.units.claim(subject.delivering, terms()) is None


def test_fetching_waits_while_too_many_batches_do(subject: Subject) -> None:
    delivering = subject.queue(subject.event(), subject.event())
    fetching = subject.claim(subject.fetching)
    assert [subject.deliveries.is_long(subject.run_id, limit=limit) for limit in (2, 3)] == [True, False]
    assert subject.deliveries.wait_for_backlog(fetching, backlog_limit=3) is False
    assert subject.deliveries.wait_for_backlog(fetching, backlog_limit=2) is True

    found = subject.next()
    assert found is not None
    assert subject.settle(delivering, found, backlog_limit=1) == []
    last = subject.next()
    assert last is not None
    freed = subject.settle(delivering, last, backlog_limit=1)

    assert [wake_up.unit_id for wake_up in freed] == [subject.fetching]
    assert subject.units.claim(subject.fetching, terms()) is not None


def test_nothing_is_fetched_before_the_receiver_has_agreed(subject: Subject) -> None:
    delivering = subject.queue(subject.event(), subject.event("sync_job_run:started"))
    fetching = subject.claim(subject.fetching)
    subject.deliveries.wait_for_backlog(fetching, backlog_limit=1)
    batch = subject.next()
    assert batch is not None

    assert subject.settle(delivering, batch) == []

    started = subject.next()
    assert started is not None
    assert [wake_up.unit_id for wake_up in subject.settle(delivering, started)] == [subject.fetching]
