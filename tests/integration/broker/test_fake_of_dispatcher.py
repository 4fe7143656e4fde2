"""Celery's dispatcher, and what stands for it in unit tests, do what ``app.services.ports.Dispatcher`` says."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from app.broker.dispatcher import CeleryDispatcher, build_publisher
from app.broker.redis_sender import build_client
from app.engine.errors import BrokerUnavailableError
from app.engine.ids import new_id
from app.engine.runs.work import WakeUp
from app.services.ports import Dispatcher
from tests.support.process_nodes import RedisContainer
from tests.unit.services.service_fakes import FakeDispatcher


@dataclass
class Subject:
    """A dispatcher, and how many messages it has sent to a queue of the test's own."""

    dispatcher: Dispatcher
    queue: str
    count: Callable[[], int]

    def wake_up(self) -> WakeUp:
        return WakeUp(run_id=new_id(), unit_id=new_id(), queue=self.queue)


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    queue = f"ferryman.{new_id()}"
    if request.param == "fake":
        fake = FakeDispatcher()
        yield Subject(fake, queue, lambda: len(fake.wake_ups) + len(fake.runs) + len(fake.tasks))
        return
    broker: RedisContainer = request.getfixturevalue("broker")
    celery = build_publisher(broker.celeryconfig["url"], timeout_seconds=1)
    prefix = celery.conf.broker_transport_options.get("global_keyprefix", "")
    with build_client(celery) as client:
        yield Subject(CeleryDispatcher(celery), queue, lambda: int(client.llen(prefix + queue)))


@pytest.fixture(params=["fake", "real"])
def broken(request: pytest.FixtureRequest) -> Subject:
    """One whose broker is away."""
    away = "redis://127.0.0.1:1/0"
    dispatcher: Dispatcher = (
        FakeDispatcher(is_broken=True)
        if request.param == "fake"
        else CeleryDispatcher(build_publisher(away, timeout_seconds=1))
    )
    return Subject(dispatcher, "q", lambda: 0)


def test_each_message_is_taken_and_seen(subject: Subject) -> None:
    dispatcher = subject.dispatcher
    assert dispatcher.look_at([subject.queue])[subject.queue].is_empty is True

    taken = [
        dispatcher.dispatch([subject.wake_up(), subject.wake_up()]),
        dispatcher.dispatch_run(new_id(), queue=subject.queue),
        dispatcher.dispatch_again(new_id(), None, queue=subject.queue),
        dispatcher.dispatch_again(new_id(), new_id(), queue=subject.queue),
        dispatcher.publish("ferryman.start_run", [new_id()], queue=subject.queue),
    ]

    assert (taken, subject.count()) == ([True] * 5, 6)
    assert dispatcher.look_at([subject.queue])[subject.queue].is_empty is False
    assert dispatcher.is_reachable() is True


def test_nothing_to_dispatch_is_dispatched(subject: Subject, broken: Subject) -> None:
    assert [subject.dispatcher.dispatch([]), broken.dispatcher.dispatch([])] == [True, True]


def test_broker_that_is_away_takes_nothing_and_raises_nothing(broken: Subject) -> None:
    dispatcher = broken.dispatcher

    taken = [
        dispatcher.dispatch([broken.wake_up()]),
        dispatcher.dispatch_run(new_id(), queue="q"),
        dispatcher.dispatch_again(new_id(), None, queue="q"),
        dispatcher.publish("ferryman.start_run", [new_id()], queue="q"),
        dispatcher.is_reachable(),
    ]

    assert taken == [False] * 5
    with pytest.raises(BrokerUnavailableError):
        dispatcher.look_at(["q"])
