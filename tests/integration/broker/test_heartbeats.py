"""Calls and reports through a real Redis."""

from collections.abc import Iterator

import pytest
from kombu import Connection

from app.broker import tasks
from app.broker.dispatcher import build_publisher
from app.broker.heartbeats import CeleryHeartbeats
from app.broker.queues import HEARTBEATS, build_daemon_queue
from app.engine.errors import BrokerUnavailableError
from app.services.maintenance.ports import Heartbeat
from tests.support.process_nodes import RedisContainer


@pytest.fixture
def heartbeats(broker: RedisContainer) -> CeleryHeartbeats:
    return CeleryHeartbeats(build_publisher(broker.celeryconfig["url"], timeout_seconds=1))


@pytest.fixture
def connection(broker: RedisContainer, heartbeats: CeleryHeartbeats) -> Iterator[Connection]:
    """A connection as all processes have it."""
    options = heartbeats._celery.conf.broker_transport_options
    with Connection(broker.celeryconfig["url"], transport_options=options) as made:
        yield made


def test_reports_are_collected_once_and_in_their_order(heartbeats: CeleryHeartbeats) -> None:
    reports = [Heartbeat(daemon_id="a", silent_seconds=None), Heartbeat(daemon_id="b", silent_seconds=2.5)]
    for report in (*reports, reports[0]):
        heartbeats.report(report)

    assert heartbeats.collect(limit=2) == reports
    assert heartbeats.collect(limit=2) == reports[:1]
    assert heartbeats.collect(limit=2) == []


def test_reports_that_nobody_understands_are_left_out(heartbeats: CeleryHeartbeats, connection: Connection) -> None:
    for body in ("nonsense", {"daemon": 1}, {"daemon_id": "a", "silent_seconds": 1}):
        connection.Producer().publish(body, serializer="json", routing_key=HEARTBEATS.name, declare=[HEARTBEATS])

    assert heartbeats.collect(limit=10) == [Heartbeat(daemon_id="a", silent_seconds=1.0)]


def test_call_lies_in_the_queue_of_its_daemon_alone_and_goes_when_unused(
    heartbeats: CeleryHeartbeats, connection: Connection
) -> None:
    heartbeats.call("d1")

    assert build_daemon_queue("d2")(connection.default_channel).get() is None
    name = f"ferryman:{build_daemon_queue('d1').name}"
    assert 0 < connection.default_channel.client.ttl(name) <= 600
    message = build_daemon_queue("d1")(connection.default_channel).get(no_ack=True)
    assert message.headers["task"] == tasks.CANARY


def test_broker_that_is_away_or_hangs_is_told_within_its_time(
    broker: RedisContainer, heartbeats: CeleryHeartbeats
) -> None:
    broker.kill("SIGSTOP")
    try:
        for reach in (lambda: heartbeats.call("a"), lambda: heartbeats.collect(limit=1)):
            with pytest.raises(BrokerUnavailableError):
                reach()
    finally:
        broker.kill("SIGCONT")
    broker.kill()
    with pytest.raises(BrokerUnavailableError):
        heartbeats.report(Heartbeat(daemon_id="a", silent_seconds=1.0))
    broker.start()
    broker.ready()
