"""A queue of a real RabbitMQ that was declared otherwise: its own messages are refused, those of others are taken."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from kombu import Connection, Exchange, Queue

from app.broker.dispatcher import CeleryDispatcher, build_publisher
from app.broker.sender import QueueRefusedError
from app.engine.ids import new_id
from tests.chaos import rabbitmq
from tests.support.debian import need

REFUSED, GOOD = "daemon-group.refused", "daemon-group.good"


@pytest.fixture(scope="module")
def broker_url(session_directory: Path) -> Iterator[str]:
    need(rabbitmq.program(), package=rabbitmq.PACKAGE)
    with rabbitmq.running_node(session_directory / "rabbitmq") as node:
        yield node.url


@pytest.fixture
def celery(broker_url: str) -> Celery:
    with Connection(broker_url) as connection:
        Queue(REFUSED, Exchange(""), routing_key=REFUSED, durable=True, channel=connection).declare()
    return build_publisher(broker_url, timeout_seconds=5)


def messages(celery: Celery, queue: str) -> int:
    with celery.connection_for_read() as connection:
        return int(connection.default_channel.queue_declare(queue, passive=True).message_count)


@pytest.mark.parametrize("unit_id", [None, new_id()], ids=["run", "unit"])
def test_queue_that_was_declared_otherwise_holds_up_no_other(celery: Celery, unit_id: str | None) -> None:
    dispatcher = CeleryDispatcher(celery)

    for _ in range(3):
        with pytest.raises(QueueRefusedError, match=REFUSED):
            dispatcher.dispatch_again(new_id(), unit_id, queue=REFUSED)
        assert dispatcher.dispatch_again(new_id(), unit_id, queue=GOOD)

    assert dispatcher.is_reachable()
    assert messages(celery, GOOD) >= 3
    assert messages(celery, REFUSED) == 0
