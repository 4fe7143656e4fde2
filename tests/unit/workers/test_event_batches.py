"""Events for Flower leave a few times a second, many at once."""

from collections.abc import Callable
from typing import Any

from workers.consumer import EVENT_SECONDS, EventBatchesStep


class Hub:
    """A loop whose turns and time pass when the test says so."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], object]] = []
        self.later: list[tuple[float, Callable[[], object]]] = []

    def call_soon(self, callback: Callable[..., object], *args: object) -> None:
        self.soon.append(lambda: callback(*args))

    def call_later(self, seconds: float, callback: Callable[..., object], *args: object) -> None:
        self.later.append((seconds, lambda: callback(*args)))

    def turn(self) -> None:
        ready, self.soon = self.soon, []
        for callback in ready:
            callback()

    def wait(self) -> None:
        due, self.later = self.later, []
        for _, callback in due:
            callback()


class Dispatcher:
    """Gathers events as Celery's does."""

    on_send_buffered: Callable[[], object]

    def __init__(self) -> None:
        self.gathered: list[str] = []
        self.published: list[list[str]] = []

    def send(self, event: str) -> None:
        self.gathered.append(event)
        self.on_send_buffered()

    def flush(self) -> None:
        self.published.append(self.gathered)
        self.gathered = []


class Consumer:
    """A consumer with its loop and its dispatcher."""

    def __init__(self, hub: Hub | None) -> None:
        self.hub = hub
        self.event_dispatcher: Any = Dispatcher()


def test_events_of_a_moment_leave_together() -> None:
    hub = Hub()
    consumer = Consumer(hub)
    EventBatchesStep(consumer).start(consumer)
    dispatcher = consumer.event_dispatcher

    for event in ("received", "started"):
        dispatcher.send(event)
        hub.turn()
    dispatcher.send("succeeded")
    assert (dispatcher.published, [seconds for seconds, _ in hub.later]) == ([], [EVENT_SECONDS])

    hub.wait()
    assert dispatcher.published == [["received", "started", "succeeded"]]

    dispatcher.send("received")
    hub.turn()
    hub.wait()
    assert dispatcher.published[1:] == [["received"]]


def test_events_go_on_after_a_lost_connection() -> None:
    hub = Hub()
    consumer = Consumer(hub)
    step = EventBatchesStep(consumer)
    step.start(consumer)
    consumer.event_dispatcher.send("lost with its loop")
    hub.turn()
    hub.later.clear()

    consumer.event_dispatcher = Dispatcher()
    step.start(consumer)
    consumer.event_dispatcher.send("received")
    hub.turn()
    hub.wait()

    assert consumer.event_dispatcher.published == [["received"]]


def test_timer_that_finds_no_dispatcher_is_harmless() -> None:
    hub = Hub()
    consumer = Consumer(hub)
    EventBatchesStep(consumer).start(consumer)
    consumer.event_dispatcher.send("received")
    hub.turn()

    consumer.event_dispatcher = None
    hub.wait()


def test_worker_without_a_loop_publishes_as_celery_does() -> None:
    consumer = Consumer(None)

    EventBatchesStep(consumer).start(consumer)

    assert not hasattr(consumer.event_dispatcher, "on_send_buffered")
