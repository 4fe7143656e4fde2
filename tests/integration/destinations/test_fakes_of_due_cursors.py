"""Cursors that lag: the store, and what stands for it in unit tests, do what their port says."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from app.engine.ids import new_id
from app.services.destinations.stores import DueCursors
from app.services.destinations.work import DueCursor
from app.store.db.database import connect
from app.store.destinations import due
from tests.support.rows import put
from tests.unit.services.destinations.test_dispatching import FakeDueCursors

QUEUE = "daemon-group.blue"


@dataclass
class Subject:
    """A destination with three accounts, of which one has no cursor yet."""

    store: DueCursors
    destination: str
    accounts: set[str]

    def dispatch(self, *, most_of_destination: int = 9, limit: int = 9) -> list[DueCursor]:
        terms = {"most_of_destination": most_of_destination, "limit": limit}
        return list(self.store.dispatch_due(ring_after_seconds=30, **terms))

    def next(self) -> DueCursor | None:
        return self.store.next_of(self.destination, ring_after_seconds=30)


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param == "fake":
        one, two, new = (DueCursor(destination_id="d", account_id=id, queue=QUEUE) for id in "abc")
        yield Subject(FakeDueCursors(lagging=[one, two], new=[new]), "d", {"a", "b", "c"})
        return
    engine = connect(request.getfixturevalue("database_url"))
    known = {"environment_id": put(engine, "environment", name="e")}
    integration = put(engine, "integration", name="acme", config={}, **known)
    datastore = put(engine, "datastore", type="postgres", config_encrypted=b"", **known)
    destination = put(engine, "destination", datastore_id=datastore, **known)
    store = due.DueCursors(engine, default_group="blue")
    accounts = set()
    for _ in range(3):
        # The last one is written after the others have their cursors.
        store.add_new(limit=9)
        tenant = {"integration_id": integration, "tenant_id": "t", "authentication_method": "api_key"}
        overrides = {"unified_model_override": {}, "integration_override": {}}
        account = put(engine, "integrated_account", context_encrypted=b"", **tenant, **overrides, **known)
        put(engine, "account_log", integrated_account_id=account, last_sequence=1)
        accounts.add(account)
    yield Subject(store, destination, accounts)
    engine.dispose()


def test_account_that_is_new_to_a_destination_is_read_like_the_others(subject: Subject) -> None:
    assert subject.store.has_any() is True
    assert [subject.store.add_new(limit=9) for _ in range(2)] == [1, 0]

    found = subject.dispatch()

    assert {one.account_id for one in found} == subject.accounts
    assert {(one.destination_id, one.queue) for one in found} == {(subject.destination, QUEUE)}
    assert subject.dispatch() == []
    assert subject.next() is None


def test_cursors_are_dispatched_as_many_as_may_be(subject: Subject) -> None:
    assert len(subject.dispatch(limit=1)) == 1
    assert len(subject.dispatch(most_of_destination=1)) == 1
    assert subject.dispatch() == []


def test_cursor_whose_message_was_not_taken_is_due_again(subject: Subject) -> None:
    first, second = subject.dispatch()

    subject.store.redispatch([second])

    assert (subject.next(), subject.next()) == (second, None)
    assert subject.store.next_of(new_id(), ring_after_seconds=30) is None
    assert first != second


def test_cursor_without_room_waits_for_a_slice_that_ends(subject: Subject) -> None:
    first, _ = subject.dispatch()

    subject.store.put_back(subject.destination, first.account_id, seconds=60)

    assert subject.dispatch() == []
    assert subject.next() == first
