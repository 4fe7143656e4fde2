"""One queue that the broker refuses says nothing about the others."""

from dataclasses import dataclass, field

import pytest
from kombu.exceptions import OperationalError

from app.broker.dispatcher import CeleryDispatcher, build_publisher
from app.broker.sender import QueueRefusedError
from app.engine.runs.work import WakeUp

REFUSED, GOOD = "daemon-group.refused", "daemon-group.good"


@dataclass
class Broker:
    """A RabbitMQ in which one queue was declared otherwise, and which may be away."""

    is_away: bool = False
    taken: list[tuple[str, str]] = field(default_factory=list)
    asked: int = 0

    def send(self, task: str, args: list[str], *, queue: str) -> None:
        self.asked += 1
        if self.is_away:
            raise OperationalError
        if queue == REFUSED:
            raise QueueRefusedError
        self.taken.append((queue, args[-1]))

    def probe(self) -> None:
        if self.is_away:
            raise OperationalError


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def dispatcher(broker: Broker) -> CeleryDispatcher:
    dispatcher = CeleryDispatcher(build_publisher("redis://localhost:1/0", timeout_seconds=1), monotonic=lambda: 0.0)
    dispatcher._sender = broker
    return dispatcher


def dispatch(unit_id: str, queue: str = GOOD) -> WakeUp:
    return WakeUp(run_id="run", unit_id=unit_id, queue=queue)


def test_rings_of_other_queues_go_on(dispatcher: CeleryDispatcher, broker: Broker) -> None:
    wake_ups = [dispatch("a", REFUSED), dispatch("b"), dispatch("c", REFUSED), dispatch("d")]

    assert dispatcher.dispatch(wake_ups) is True

    assert broker.taken == [(GOOD, "b"), (GOOD, "d")]
    assert broker.asked == 3


def test_start_of_a_run_is_not_taken_and_the_next_one_is(dispatcher: CeleryDispatcher, broker: Broker) -> None:
    assert [dispatcher.dispatch_run(run, queue=queue) for run, queue in (("x", REFUSED), ("y", GOOD))] == [False, True]

    with pytest.raises(QueueRefusedError):
        dispatcher.publish("ferryman.start_run", ["z"], queue=REFUSED)
    assert dispatcher.publish("ferryman.start_run", ["z"], queue=GOOD)
    assert broker.taken == [(GOOD, "y"), (GOOD, "z")]


@pytest.mark.parametrize("unit_id", [None, "unit"], ids=["run", "unit"])
def test_lost_message_of_a_queue_that_is_refused_is_told_and_the_next_one_is_sent(
    dispatcher: CeleryDispatcher, broker: Broker, unit_id: str | None
) -> None:
    with pytest.raises(QueueRefusedError):
        dispatcher.dispatch_again("run", unit_id, queue=REFUSED)

    assert dispatcher.dispatch_again("run", unit_id, queue=GOOD)
    assert broker.taken == [(GOOD, unit_id or "run")]


def test_broker_that_is_away_takes_nothing_and_is_asked_once(dispatcher: CeleryDispatcher, broker: Broker) -> None:
    broker.is_away = True

    assert dispatcher.dispatch([dispatch("a"), dispatch("b")]) is False
    assert dispatcher.dispatch([dispatch("c")]) is False

    assert broker.asked == 1
