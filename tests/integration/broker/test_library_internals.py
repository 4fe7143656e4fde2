"""What Ferryman's code assumes about the insides of Celery and kombu: a test for each, whose message says what to do.

pyproject.toml keeps celery and kombu below their next minor release, in which such insides change, and redis, of which
only the public part is used, below its next major one. Whoever raises a bound runs this file and follows what fails.
"""

import base64
import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, signals
from celery.events import EventDispatcher
from celery.worker.consumer import Consumer
from kombu import Connection, Exchange, Queue, compression
from kombu.transport import redis as kombu_redis
from kombu.transport.virtual import Message
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from app.broker import envelopes, redis_transport
from app.broker.dispatcher import build_publisher
from app.broker.envelopes import MalformedEnvelopeError
from app.broker.redis_sender import RedisSender
from app.broker.sender import TaskSender
from app.broker.task_messages import SEAL, SealingAmqp
from app.engine.json_types import JsonObject
from tests.support.process_nodes import RedisContainer
from workers.commands import CheckingControl, CheckingMailbox, CheckingNode
from workers.consumer import CheckingConsumer, EventBatchesStep

ENVELOPE = (
    "Celery's task message or kombu's envelope has changed: write the new one in app/broker/redis_sender.py, let "
    "app/broker/task_messages.py and app/broker/envelopes.py accept both, since messages of the old form wait in "
    "queues while a new release starts, and measure whether the short way is still worth it (docs/performance.md)"
)
ORDER = (
    "kombu no longer pushes to the head of the list <prefix><queue> and takes from its tail: change where "
    "app/broker/redis_sender.py pushes and where app/broker/dispatcher.py looks"
)
OVERRIDDEN = (
    "{}.{} has gone or takes other parameters, so that Ferryman's override is not called as it expects: find what is "
    "called now, and override that"
)
DROPPED = (
    "kombu's transport for Redis reads queues by other functions than app/broker/redis_transport.py overrides, or no "
    "longer by its module's name `loads`: a message that is no envelope must be dropped and told by task_rejected"
)
EVENTS = (
    "Celery's event dispatcher no longer buffers events of tasks, calls on_send_buffered for each and publishes them "
    "by flush(): change workers/consumer.py, or delete its step should Celery publish in batches by itself"
)

_NAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@pytest.fixture
def celery(broker: RedisContainer) -> Celery:
    return build_publisher(broker.celeryconfig["url"], timeout_seconds=1)


@pytest.fixture
def connection(celery: Celery) -> Iterator[Connection]:
    with celery.connection_for_write() as connection:
        yield connection


@pytest.fixture
def channel(connection: Connection) -> redis_transport.Channel:
    return connection.default_channel


@pytest.fixture
def raw(broker: RedisContainer) -> Redis:
    return Redis.from_url(str(broker.celeryconfig["url"]).replace("redis+socket://", "unix://"))


@pytest.fixture
def rejected() -> Iterator[list[Exception]]:
    """What was dropped."""
    found: list[Exception] = []

    def note(exc: Exception, **_: object) -> None:
        found.append(exc)

    signals.task_rejected.connect(note)
    yield found
    signals.task_rejected.disconnect(note)


@contextmanager
def expecting(error: type[Exception], remedy: str) -> Iterator[None]:
    try:
        yield
    except error:
        return
    pytest.fail(remedy)


def test_short_way_writes_the_envelope_of_kombu_and_celery(celery: Celery, raw: Redis) -> None:
    task, args = "ferryman.tested.v1", ["a", "b"]
    RedisSender(celery).send(task, args, queue="enveloped")
    TaskSender(celery).send(task, args, queue="enveloped")
    celery.send_task(task, args=args, queue="enveloped", ignore_result=True)

    by_celery, by_kombu, ours = (json.loads(message) for message in raw.lrange("ferryman:enveloped", 0, -1))

    assert _without_ids(ours) == _without_ids(by_kombu), ENVELOPE
    assert _without_ids(ours) == _without_ids(by_celery), ENVELOPE
    ids = ours["headers"]["id"], ours["headers"]["root_id"], ours["properties"]["correlation_id"]
    assert len(set(ids)) == 1, ENVELOPE


def test_first_message_is_at_the_tail_of_the_list(celery: Celery, connection: Connection, raw: Redis) -> None:
    for name in ("first", "second"):
        celery.send_task(name, queue="ordered")

    next_one = json.loads(raw.lindex("ferryman:ordered", -1))
    with connection.SimpleQueue("ordered") as queue:
        taken = queue.get_nowait()

    assert next_one["headers"]["task"] == taken.headers["task"] == "first", ORDER


@pytest.mark.parametrize(
    ("ours", "name"),
    [
        (redis_transport.QoS, "restore_by_tag"),
        (redis_transport.Channel, "_create_client"),
        (redis_transport.Channel, "_connparams"),
        (redis_transport.Channel, "_brpop_read"),
        (redis_transport.Channel, "_get"),
        (redis_transport.Channel, "_restore"),
        (redis_transport.Channel, "_do_restore_message"),
        (redis_transport.Transport, "_deliver"),
        (SealingAmqp, "as_task_v2"),
        (CheckingConsumer, "create_task_handler"),
        (CheckingConsumer, "on_decode_error"),
        (CheckingConsumer, "on_unknown_message"),
        (CheckingConsumer, "on_unknown_task"),
        (CheckingConsumer, "on_invalid_task"),
        (CheckingNode, "handle_message"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_what_is_overridden_takes_the_parameters_that_it_took(ours: type, name: str) -> None:
    theirs = ours.__mro__[1]
    message = OVERRIDDEN.format(theirs.__qualname__, name)

    original = getattr(theirs, name, None)
    assert original is not None, message
    override = inspect.signature(getattr(ours, name))
    parameters = [one for one in inspect.signature(original).parameters.values() if one.kind in _NAMED]
    needed = [one for one in parameters if one.default is one.empty]
    optional = {one.name: one.default for one in parameters if one.default is not one.empty}
    try:
        override.bind(*needed, **optional)
    except TypeError as error:
        pytest.fail(f"{message} ({error})")


@pytest.mark.parametrize(
    ("owner", "name", "ours"),
    [
        (kombu_redis.Channel, "QoS", redis_transport.QoS),
        (kombu_redis.Transport, "Channel", redis_transport.Channel),
        (CheckingMailbox.__mro__[1], "node_cls", CheckingNode),
        (CheckingControl.__mro__[1], "Mailbox", CheckingMailbox),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_class_that_is_put_in_the_place_of_another_extends_it(owner: type, name: str, ours: type) -> None:
    assert issubclass(ours, getattr(owner, name, type(None))), OVERRIDDEN.format(owner.__qualname__, name)


def test_urls_of_redis_lead_to_ferrymans_transport(connection: Connection) -> None:
    remedy = "kombu no longer finds transports in TRANSPORT_ALIASES: see redis_transport.install()"
    for scheme in ("redis", "rediss"):
        assert Connection(f"{scheme}://localhost").get_transport_cls() is redis_transport.Transport, remedy
    assert type(connection.transport) is redis_transport.Transport, remedy


def test_kombu_makes_a_client_for_every_command_and_ferryman_one(channel: redis_transport.Channel) -> None:
    theirs = [kombu_redis.Channel._create_client(channel) for _ in range(2)]
    with channel.conn_or_acquire() as first, channel.conn_or_acquire() as second:
        assert first is second, OVERRIDDEN.format("Channel", "conn_or_acquire")
    channel._disconnect_pools()
    with channel.conn_or_acquire() as third:
        assert third is not first, "a channel keeps the client of a pool that has gone: see Channel._create_client"
        assert third.ping()

    assert theirs[0] is not theirs[1], "kombu keeps its client by itself: delete Channel._create_client"


def test_channel_of_a_connection_that_was_given_up_fails_as_connections_do(channel: redis_transport.Channel) -> None:
    transport, given_up = channel.connection, channel.connection.client
    transport.client = None
    try:
        with expecting(AttributeError, "kombu handles a connection that was given up: delete Channel._connparams"):
            kombu_redis.Channel._connparams(channel)
        with expecting(RedisConnectionError, "kombu asks for the address in another way: see Channel._connparams"):
            channel._connparams()
    finally:
        transport.client = given_up


def _get(connection: Connection, _queue: str) -> None:
    with connection.SimpleQueue("strange") as queue, expecting(queue.Empty, DROPPED):
        queue.get_nowait()


def _consume(connection: Connection, _queue: str) -> None:
    with connection.Consumer([Queue("strange", Exchange(""))], callbacks=[lambda *_: pytest.fail(DROPPED)]):
        connection.drain_events(timeout=5)


def _restore(connection: Connection, queue: str) -> None:
    channel = connection.default_channel
    with channel.conn_or_acquire() as client:
        client.hset(channel.unacked_key, "tag", client.rpop(queue))
    channel.qos.restore_by_tag("tag")
    with channel.conn_or_acquire() as client:
        assert not client.hexists(channel.unacked_key, "tag"), DROPPED


@pytest.mark.parametrize("take", [_get, _consume, _restore])
@pytest.mark.parametrize("raw_message", [b"nonsense", b"{}", b'{"__type__": "datetime", "__value__": "x"}'])
def test_what_is_no_envelope_is_dropped_and_told(
    connection: Connection,
    raw: Redis,
    rejected: list[Exception],
    take: Callable[[Connection, str], None],
    raw_message: bytes,
) -> None:
    raw.delete("ferryman:strange")
    raw.lpush("ferryman:strange", raw_message)

    take(connection, "strange")

    assert [isinstance(error, ValueError) for error in rejected] == [True], DROPPED
    assert raw.llen("ferryman:strange") == 0, DROPPED


def test_nothing_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry in ("_encoders", "_decoders"):
        monkeypatch.setattr(compression, registry, dict(getattr(compression, registry)))
    packed, content_type = compression.compress(b"x" * 1000, "zlib")

    envelopes.refuse_compression()

    remedy = "kombu unpacks bodies by functions that compression.register() does not replace: see refuse_compression()"
    with expecting(MalformedEnvelopeError, remedy):
        compression.decompress(packed, content_type)


def test_message_has_what_is_checked_of_it(celery: Celery, connection: Connection) -> None:
    celery.send_task("ferryman.tested", args=["a"], queue="checked")

    with connection.SimpleQueue("checked") as queue:
        message = queue.get_nowait()

    assert isinstance(message, Message)
    found = type(message.headers), type(message.body), message.content_type, message.content_encoding, message.errors
    expected = dict, bytes, "application/json", "utf-8", []
    assert found == expected, "kombu's messages have other attributes: change what task_messages.find_fault() reads"


def test_every_task_message_is_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERRYMAN_MESSAGE_KEY", "k" * 32)
    celery = build_publisher("memory://", timeout_seconds=1)

    with celery.connection_for_write() as connection:
        celery.send_task("ferryman.tested", args=["a"], queue="sealed", connection=connection)
        with connection.SimpleQueue("sealed") as queue:
            headers = queue.get_nowait().headers

    assert SEAL in headers, "Celery writes task messages past amqp.as_task_v2: seal them where it does (SealingAmqp)"


def test_dispatcher_buffers_events_until_it_is_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    published, buffered = [], []
    celery = Celery(set_as_current=False, broker="memory://")
    dispatcher = EventDispatcher(app=celery, enabled=False, buffer_group=["task"])
    monkeypatch.setattr(dispatcher, "enabled", True)
    monkeypatch.setattr(dispatcher, "_closed", False)
    dispatcher.producer = SimpleNamespace(publish=lambda events, **_: published.append(len(events)))
    dispatcher.on_send_buffered = lambda: buffered.append(len(published))

    for name in ("task-received", "task-started"):
        dispatcher.send(name, uuid="a")
    assert (buffered, published) == ([0, 0], []), EVENTS

    dispatcher.flush()
    assert published == [2], EVENTS


def test_consumer_has_a_loop_and_a_dispatcher() -> None:
    names = inspect.signature(Consumer.__init__).parameters
    assert "hub" in names, EVENTS
    (required,) = EventBatchesStep.requires
    module, _, name = required.partition(":")
    events: Any = getattr(__import__(module, fromlist=[name]), name)
    consumer = SimpleNamespace()
    events(consumer, task_events=True)
    assert hasattr(consumer, "event_dispatcher"), EVENTS


def _without_ids(message: JsonObject) -> JsonObject:
    headers = {**message["headers"], "id": "", "root_id": "", "origin": ""}
    properties = {**message["properties"], "correlation_id": "", "delivery_tag": "", "reply_to": ""}
    return {
        **message,
        "headers": headers,
        "properties": properties,
        "body": json.loads(base64.b64decode(message["body"])),
    }
