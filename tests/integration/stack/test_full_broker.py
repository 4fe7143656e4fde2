"""An embedded Redis that is full takes no message more, gives out all that it has, and then takes messages again."""

from collections.abc import Iterator

import pytest
from celery import Celery
from kombu import Connection, Consumer
from redis import Redis

from app.broker.dispatcher import CeleryDispatcher, build_publisher
from app.engine.ids import new_id
from app.stack import redis
from app.stack.data_directory import DataDirectory
from app.stack.joining import find_socket_root
from app.stack.supervisor import Supervisor
from tests.support.patience import LONGEST_SECONDS

QUEUE = "daemon-group.full"
MEMORY_BYTES = 4 * 1024 * 1024


@pytest.fixture
def celery(supervisor: Supervisor, data: DataDirectory) -> Celery:
    place = find_socket_root(data)
    supervisor.spawn(redis.build_child(data.redis, place, memory_bytes=MEMORY_BYTES))
    supervisor.wait_until_ready()
    return build_publisher(redis.build_url(place), timeout_seconds=2)


@pytest.fixture
def connection(celery: Celery) -> Iterator[Connection]:
    with celery.connection_for_read() as found:
        yield found


def fill(celery: Celery) -> int:
    """Publish until nothing more is taken; tell how many messages were."""
    dispatcher, taken = CeleryDispatcher(celery), 0
    while dispatcher.dispatch_run(new_id(), queue=QUEUE):
        taken += 1
    return taken


def drain(celery: Celery, connection: Connection, messages: int) -> int:
    """Take messages as a daemon does, until there are none; tell how many there were."""
    found = []

    def take(message: object) -> None:
        found.append(message)
        message.ack()  # type: ignore[attr-defined]

    with Consumer(connection, queues=[celery.amqp.queues[QUEUE]], on_message=take, accept=["json"]):
        while len(found) < messages:
            connection.drain_events(timeout=LONGEST_SECONDS)
    return len(found)


def test_full_broker_gives_out_all_that_it_has_and_takes_messages_again(celery: Celery, connection: Connection) -> None:
    taken = fill(celery)

    assert taken > 100
    assert drain(celery, connection, taken) == taken
    assert CeleryDispatcher(celery).dispatch_run(new_id(), queue=QUEUE)


def test_broker_is_bounded(celery: Celery) -> None:
    client = Redis.from_url(celery.conf.broker_url.replace("redis+socket", "unix", 1), decode_responses=True)

    found = client.config_get("maxmemory*")

    assert (found["maxmemory"], found["maxmemory-policy"]) == (str(MEMORY_BYTES), "noeviction")
