"""Flower hears of every task of a real daemon, though its events leave many at once."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery import Celery

from app.broker import signing, tasks, transport
from app.stack.stack import Stack
from tests.support.patience import WaitFor
from tests.support.upstream import Upstream
from tests.support.workspace import Workspace, listed

RUNS = 10


@contextmanager
def listening(stack: Stack, wait_for: WaitFor) -> Iterator[dict[str, list[Any]]]:
    """Gather all events meanwhile, as Flower does: lists by their kind."""
    app = Celery("listener", broker=stack.broker_url)
    signed = signing.register_serializer(stack.environment.get("FERRYMAN_MESSAGE_KEY", ""))
    app.conf.update(broker_transport_options=transport.build_options(stack.broker_url), event_serializer=signed)
    heard: dict[str, list[Any]] = defaultdict(list)
    with app.connection() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": lambda event: heard[event["type"]].append(event)})
        thread = threading.Thread(target=receiver.capture, kwargs={"wakeup": False})
        thread.start()
        try:
            # The daemons' heartbeats tell that it listens.
            wait_for(lambda: heard)
            yield heard
        finally:
            receiver.should_stop = True
            thread.join()


@pytest.mark.timeout(60)
def test_every_task_is_heard_of_from_its_receipt_to_its_success(
    ferryman: Stack, workspace: Workspace, upstream: Upstream, wait_for: WaitFor
) -> None:
    upstream.lists("/tickets", [{"id": 1}])
    sync = workspace.sync(upstream.url, [listed("tickets")])

    with listening(ferryman, wait_for) as heard:
        run_ids = [sync.start() for _ in range(RUNS)]

        def received() -> set[str]:
            events = [event for event in heard["task-received"] if event["name"] == tasks.START_RUN]
            return {event["uuid"] for event in events if any(id in event["args"] for id in run_ids)}

        wait_for(lambda: len(received()) == RUNS)
        for kind in ("task-started", "task-succeeded"):
            wait_for(lambda kind=kind: received() <= {event["uuid"] for event in heard[kind]})  # type: ignore[misc]
