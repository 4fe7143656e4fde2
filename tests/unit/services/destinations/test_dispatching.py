"""What lags is sent for in turn; a look that took long is followed by a rest, a message that is lost by another."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from app.services.destinations.dispatching import DestinationDispatcher
from app.services.destinations.work import DueCursor

ONE, TWO = (DueCursor(destination_id=id, account_id="a", queue="q") for id in ("one", "two"))


@dataclass
class FakeDueCursors:
    """Cursors that lag, and a clock that goes on while they are looked for."""

    lagging: list[DueCursor] = field(default_factory=list)
    look_seconds: float = 0.0
    now: float = 100.0
    looks: int = 0
    has_destinations: bool = True
    new: list[DueCursor] = field(default_factory=list)
    """What a destination is to read and has no cursor for yet."""
    again: list[DueCursor] = field(default_factory=list)
    rung: list[DueCursor] = field(default_factory=list)
    without_room: list[DueCursor] = field(default_factory=list)

    def has_any(self) -> bool:
        return self.has_destinations

    def add_new(self, *, limit: int) -> int:
        added, self.new = self.new[:limit], self.new[limit:]
        self.lagging += added
        return len(added)

    def dispatch_due(self, *, most_of_destination: int, ring_after_seconds: float, limit: int) -> Sequence[DueCursor]:
        self.looks += 1
        self.now += self.look_seconds
        found: list[DueCursor] = []
        for one in self.lagging:
            of_destination = sum(other.destination_id == one.destination_id for other in found)
            if one not in self.without_room and of_destination < most_of_destination and len(found) < limit:
                found.append(one)
        self.lagging = [one for one in self.lagging if one not in found]
        self.rung += found
        return found

    def next_of(self, destination_id: str, *, ring_after_seconds: float) -> DueCursor | None:
        found = next((one for one in self.lagging if one.destination_id == destination_id), None)
        if found is not None:
            self.lagging.remove(found)
            self.rung.append(found)
        return found

    def redispatch(self, cursors: Sequence[DueCursor]) -> None:
        self.again.extend(cursors)
        self.lagging.extend(cursors)

    def put_back(self, destination_id: str, account_id: str, *, seconds: float) -> None:
        back = [one for one in self.rung if (one.destination_id, one.account_id) == (destination_id, account_id)]
        self.lagging += back
        self.without_room += back


@pytest.fixture
def due() -> FakeDueCursors:
    return FakeDueCursors(lagging=[ONE, TWO])


def _build(due: FakeDueCursors, sent: list[DueCursor], refused: Sequence[DueCursor] = ()) -> DestinationDispatcher:
    def send(one: DueCursor) -> bool:
        sent.append(one)
        return one not in refused

    return DestinationDispatcher(due, send, most_of_destination=4, monotonic=lambda: due.now)


def test_messages_are_sent_for_what_lags(due: FakeDueCursors) -> None:
    sent: list[DueCursor] = []

    _build(due, sent, refused=[TWO]).dispatch_due()

    assert (sent, due.again, due.lagging) == ([ONE, TWO], [TWO], [TWO])


def test_account_that_a_destination_begins_to_read_is_sent_for_at_once(due: FakeDueCursors) -> None:
    sent: list[DueCursor] = []
    due.lagging, due.new = [], [ONE]

    _build(due, sent).dispatch_due()

    assert sent == [ONE]


def test_a_look_that_took_long_is_followed_by_a_rest(due: FakeDueCursors) -> None:
    dispatcher, due.look_seconds = _build(due, []), 1.0

    for _ in range(8):
        dispatcher.dispatch_due()
        due.now += 1.0

    assert due.looks == 2


def test_nothing_is_looked_for_without_a_destination(due: FakeDueCursors) -> None:
    due.has_destinations = False

    _build(due, []).dispatch_due()

    assert due.looks == 0


def test_the_turn_is_passed_on_within_a_destination(due: FakeDueCursors) -> None:
    sent: list[DueCursor] = []
    dispatcher = _build(due, sent)

    dispatcher.dispatch_next("two")
    dispatcher.dispatch_next("three")

    assert sent == [TWO]
