"""Messages in a real Redis, by the short way and by kombu's."""

from collections.abc import Callable

import pytest
from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis

from app.broker.dispatcher import CeleryDispatcher, build_publisher
from app.broker.redis_sender import RedisSender
from app.broker.sender import BoundedSender, Sender, TaskSender, choose_sender
from tests.support.process_nodes import RedisContainer


@pytest.fixture
def celery(broker: RedisContainer) -> Celery:
    return build_publisher(broker.celeryconfig["url"], timeout_seconds=1)


@pytest.mark.parametrize("sender", [TaskSender, RedisSender])
def test_broker_that_is_away_is_told_as_kombu_tells_it(sender: Callable[[Celery], Sender]) -> None:
    with pytest.raises(OperationalError):
        sender(build_publisher("redis://127.0.0.1:9/0", timeout_seconds=1)).send("x", [], queue="tested")


def test_a_redis_that_was_started_anew_takes_the_next_message(broker: RedisContainer, celery: Celery) -> None:
    sender = RedisSender(celery)
    sender.send("x", [], queue="restarted")
    _client(broker).client_kill_filter(skipme=True, _type="normal")

    sender.send("x", [], queue="restarted")

    assert _client(broker).llen("ferryman:restarted") == 2


@pytest.mark.parametrize("sender", [TaskSender, RedisSender])
def test_probe_publishes_and_leaves_nothing(
    broker: RedisContainer, celery: Celery, sender: Callable[[Celery], Sender]
) -> None:
    raw = _client(broker)
    before, written = set(raw.keys()), raw.info("stats")["total_commands_processed"]

    sender(celery).probe()

    assert set(raw.keys()) == before
    assert raw.info("stats")["total_commands_processed"] > written + 2


@pytest.mark.parametrize("sender", [TaskSender, RedisSender])
def test_broker_that_answers_and_takes_nothing_is_told(
    broker: RedisContainer, celery: Celery, sender: Callable[[Celery], Sender]
) -> None:
    """A connection alone proves nothing: its memory may be full, and a replica takes no messages either."""
    raw = _client(broker)
    raw.config_set("maxmemory", 1)
    try:
        with pytest.raises(OperationalError):
            sender(celery).probe()
        assert not CeleryDispatcher(celery).is_reachable()
    finally:
        raw.config_set("maxmemory", 0)

    sender(celery).probe()
    assert CeleryDispatcher(celery).is_reachable()


@pytest.mark.parametrize(
    ("url", "serializer", "chosen"),
    [
        ("redis://127.0.0.1:9/0", "json", RedisSender),
        ("redis+socket:///run/redis.sock", "json", RedisSender),
        ("redis://127.0.0.1:9/0", "ferryman-signed", TaskSender),
        ("amqp://127.0.0.1:9", "json", TaskSender),
    ],
)
def test_the_short_way_is_for_unsigned_messages_to_one_redis(url: str, serializer: str, chosen: type[Sender]) -> None:
    celery = build_publisher(url, timeout_seconds=1)
    celery.conf.task_serializer = serializer

    sender = choose_sender(celery)

    assert type(sender.sender if isinstance(sender, BoundedSender) else sender) is chosen
    assert isinstance(sender, BoundedSender) == url.startswith("redis")


def test_redis_that_does_not_tell_its_limit_is_published_to(broker: RedisContainer, celery: Celery) -> None:
    """As one whose ACL leaves out what is dangerous, or one of another make, which both took messages before."""
    raw = _client(broker)
    raw.acl_setuser(
        "careful", enabled=True, passwords=["+x"], keys=["*"], categories=["+@all", "-@dangerous"], reset=True
    )
    careful = Redis.from_url(_url(broker), username="careful", password="x")
    other_make = Redis.from_url(_url(broker))
    other_make.set_response_callback("INFO", lambda answer, **_: {"used_memory": 1})

    for client in (careful, other_make):
        sender = BoundedSender(RedisSender(celery), client)
        sender.probe()
        sender.send("x", [], queue="unlimited")

    assert raw.llen("ferryman:unlimited") == 2


def _client(broker: RedisContainer) -> Redis:
    return Redis.from_url(_url(broker))


def _url(broker: RedisContainer) -> str:
    return str(broker.celeryconfig["url"]).replace("redis+socket://", "unix://")
