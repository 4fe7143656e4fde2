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
    again: list[DueCursor] = field(default_factory=list)

    def has_any(self) -> bool:
        return bool(self.lagging)

    def add_new(self, *, limit: int) -> int:
        return 0

    def dispatch_due(self, *, most_of_destination: int, ring_after_seconds: float, limit: int) -> Sequence[DueCursor]:
        self.looks += 1
        self.now += self.look_seconds
        return self.lagging

    def next_of(self, destination_id: str, *, ring_after_seconds: float) -> DueCursor | None:
        return next((one for one in self.lagging if one.destination_id == destination_id), None)

    def redispatch(self, cursors: Sequence[DueCursor]) -> None:
        self.again.extend(cursors)

    def put_back(self, destination_id: str, account_id: str, *, seconds: float) -> None:
        raise AssertionError("a dispatcher puts nothing back")


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

    assert (sent, due.again) == ([ONE, TWO], [TWO])


def test_a_look_that_took_long_is_followed_by_a_rest(due: FakeDueCursors) -> None:
    dispatcher, due.look_seconds = _build(due, []), 1.0

    for _ in range(8):
        dispatcher.dispatch_due()
        due.now += 1.0

    assert due.looks == 2


def test_nothing_is_looked_for_without_a_destination(due: FakeDueCursors) -> None:
    due.lagging = []

    _build(due, []).dispatch_due()

    assert due.looks == 0


def test_the_turn_is_passed_on_within_a_destination(due: FakeDueCursors) -> None:
    sent: list[DueCursor] = []
    dispatcher = _build(due, sent)

    dispatcher.dispatch_next("two")
    dispatcher.dispatch_next("three")

    assert sent == [TWO]
