"""A look at queues tells whether one is empty and when its next message was sent, and takes nothing."""

from datetime import UTC, datetime

import pytest
from celery import Celery

from app.broker.dispatcher import AmqpQueues, CeleryDispatcher, build_publisher, choose_queues
from app.broker.redis_sender import RedisSender, build_client
from app.broker.sender import TaskSender
from app.engine.errors import BrokerUnavailableError
from app.services.ports import QueueState
from tests.support.process_nodes import RedisContainer

UNTIMED = QueueState(is_empty=False, is_timed=True)
EMPTY = QueueState(is_empty=True, is_timed=True)


@pytest.fixture
def celery(broker: RedisContainer) -> Celery:
    return build_publisher(broker.celeryconfig["url"], timeout_seconds=1)


@pytest.mark.parametrize("sender", [RedisSender, TaskSender])
def test_next_message_tells_when_it_was_sent(celery: Celery, sender: type[RedisSender | TaskSender]) -> None:
    queue = f"looked-at-{sender.__name__}"
    before = datetime.now(UTC)
    sender(celery).send("x", ["first"], queue=queue)
    between = datetime.now(UTC)
    sender(celery).send("x", ["second"], queue=queue)

    dispatcher = CeleryDispatcher(celery)
    looks = [dispatcher.look_at([queue, "nothing-here"]) for _ in range(2)]

    assert looks[0] == looks[1]
    assert looks[0]["nothing-here"] == EMPTY
    sent_at = looks[0][queue].next_sent_at
    assert sent_at is not None
    # To the millisecond.
    assert int(before.timestamp() * 1000) <= round(sent_at.timestamp() * 1000) <= int(between.timestamp() * 1000)


@pytest.mark.parametrize(
    "raw",
    [
        b"no json",
        b"[]",
        b'{"headers": {}}',
        b'{"headers": {"id": "x"}}',
        b'{"headers": {"id": "0c9e9bd4-3d3c-4b5e-9a37-1f1f0e1c2b3a"}}',
        b'{"headers": {"id": "ffffffff-ffff-7fff-bfff-ffffffffffff"}}',
        b"[" + b"1," * 40_000 + b"1]",
    ],
    ids=["no-json", "no-envelope", "no-id", "no-uuid", "random-uuid", "year-10889", "large"],
)
def test_message_that_tells_no_time_is_none_the_less_there(celery: Celery, raw: bytes) -> None:
    with build_client(celery) as client:
        client.delete("ferryman:strange")
        client.lpush("ferryman:strange", raw)

    assert choose_queues(celery).look_at(["strange"]) == {"strange": UNTIMED}


def test_broker_that_is_away_is_told() -> None:
    with pytest.raises(BrokerUnavailableError):
        choose_queues(build_publisher("redis://127.0.0.1:9/0", timeout_seconds=1)).look_at(["q"])


def test_broker_that_shows_no_next_message_tells_at_least_whether_there_is_one() -> None:
    celery = build_publisher("memory://", timeout_seconds=1)
    TaskSender(celery).send("x", [], queue="filled")

    found = AmqpQueues(celery).look_at(["filled", "missing"])

    assert found == {"filled": QueueState(is_empty=False), "missing": QueueState(is_empty=True)}
    assert choose_queues(celery).look_at(["filled"]) == {"filled": QueueState(is_empty=False)}


def test_rabbitmq_that_is_away_is_told() -> None:
    with pytest.raises(BrokerUnavailableError):
        choose_queues(build_publisher("amqp://127.0.0.1:9", timeout_seconds=1)).look_at(["q"])
