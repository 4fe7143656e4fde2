"""What is lost is told from what waits by how far the queue has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.engine.errors import BrokerUnavailableError
from app.services.maintenance.sweeper import QueueHeads
from app.services.ports import QueueState

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SETTLE = 20.0
QUEUES = ["a"]


@dataclass
class FakeQueues:
    """Queues as a test sets them."""

    states: dict[str, QueueState] = field(default_factory=dict)

    def look_at(self, queues: Sequence[str]) -> Mapping[str, QueueState]:
        return {queue: self.states[queue] for queue in queues}


@dataclass
class World:
    """A queue beside two clocks that go together."""

    now: float = 0.0

    def __post_init__(self) -> None:
        self.queues = FakeQueues()
        self.heads = QueueHeads(self.queues.look_at, settle_seconds=SETTLE, monotonic=lambda: self.now)

    def is_lost(self, rung: float, state: QueueState) -> bool:
        """Whether what was rung so many seconds after noon counts as lost."""
        self.queues.states["a"] = state
        return NOON + timedelta(seconds=rung) < self.heads.find_lost(QUEUES)["a"].at


def waits(sent: float) -> QueueState:
    return QueueState(is_empty=False, is_timed=True, next_sent_at=NOON + timedelta(seconds=sent))


def test_everything_of_an_empty_queue_is_lost_at_once() -> None:
    world = World(now=100.0)

    assert world.is_lost(99.0, QueueState(is_empty=True, is_timed=True))
    assert world.heads.find_lost(QUEUES)["a"].is_empty


def test_what_was_rung_after_the_next_message_was_sent_waits_however_long() -> None:
    world = World()

    assert not any(world.is_lost(60.0, waits(sent=30.0)) for world.now in (0.0, 100.0, 10_000.0))


def test_what_was_rung_before_the_next_message_is_lost_once_a_daemon_has_had_its_time() -> None:
    world = World()

    lost = [world.is_lost(30.0, waits(sent=60.0 + world.now)) for world.now in (0.0, 10.0, SETTLE)]

    assert lost == [False, False, True]


def test_clocks_that_differ_a_little_make_nothing_lost() -> None:
    world = World()
    world.is_lost(0.0, waits(sent=60.0))
    world.now = SETTLE

    assert not world.is_lost(51.0, waits(sent=60.0))
    assert world.is_lost(49.0, waits(sent=60.0))


def test_next_message_that_does_not_tell_its_time_changes_nothing() -> None:
    world, untold = World(), QueueState(is_empty=False, is_timed=True)

    assert not world.is_lost(0.0, untold)
    world.is_lost(0.0, waits(sent=60.0))
    world.now = SETTLE

    assert world.is_lost(0.0, untold)


def test_broker_that_shows_no_order_leaves_it_to_the_pauses() -> None:
    world = World()

    assert world.is_lost(10_000.0, QueueState(is_empty=False))
    assert not world.heads.find_lost(QUEUES)["a"].is_empty


def test_broker_is_not_asked_about_nothing() -> None:
    class Away:
        def look_at(self, queues: Sequence[str]) -> Mapping[str, QueueState]:
            raise BrokerUnavailableError

    assert QueueHeads(Away().look_at, settle_seconds=SETTLE, monotonic=lambda: 0.0).find_lost([]) == {}
