"""Calls and reports through a real Redis."""

from collections.abc import Iterator

import pytest
from kombu import Connection

from app.broker import tasks
from app.broker.dispatcher import publisher
from app.broker.heartbeats import CeleryPulses
from app.broker.queues import PULSES, own_queue
from app.engine.errors import BrokerUnavailableError
from app.services.maintenance.heartbeats import Pulse
from tests.support.process_nodes import RedisContainer


@pytest.fixture
def pulses(broker: RedisContainer) -> CeleryPulses:
    return CeleryPulses(publisher(broker.celeryconfig["url"], timeout_seconds=1))


@pytest.fixture
def connection(broker: RedisContainer, pulses: CeleryPulses) -> Iterator[Connection]:
    """A connection as all processes have it."""
    options = pulses._celery.conf.broker_transport_options
    with Connection(broker.celeryconfig["url"], transport_options=options) as made:
        yield made


def test_reports_are_collected_once_and_in_their_order(pulses: CeleryPulses) -> None:
    reports = [Pulse(daemon_id="a", silent_seconds=None), Pulse(daemon_id="b", silent_seconds=2.5)]
    for report in (*reports, reports[0]):
        pulses.report(report)

    assert pulses.collect(limit=2) == reports
    assert pulses.collect(limit=2) == reports[:1]
    assert pulses.collect(limit=2) == []


def test_reports_that_nobody_understands_are_left_out(pulses: CeleryPulses, connection: Connection) -> None:
    for body in ("nonsense", {"daemon": 1}, {"daemon_id": "a", "silent_seconds": 1}):
        connection.Producer().publish(body, serializer="json", routing_key=PULSES.name, declare=[PULSES])

    assert pulses.collect(limit=10) == [Pulse(daemon_id="a", silent_seconds=1.0)]


def test_call_lies_in_the_queue_of_its_daemon_alone_and_goes_when_unused(
    pulses: CeleryPulses, connection: Connection
) -> None:
    pulses.call("d1")

    assert own_queue("d2")(connection.default_channel).get() is None
    name = f"ferryman:{own_queue('d1').name}"
    assert 0 < connection.default_channel.client.ttl(name) <= 600
    message = own_queue("d1")(connection.default_channel).get(no_ack=True)
    assert message.headers["task"] == tasks.CANARY


def test_broker_that_is_away_or_hangs_is_told_within_its_time(broker: RedisContainer, pulses: CeleryPulses) -> None:
    broker.kill("SIGSTOP")
    try:
        for reach in (lambda: pulses.call("a"), lambda: pulses.collect(limit=1)):
            with pytest.raises(BrokerUnavailableError):
                reach()
    finally:
        broker.kill("SIGCONT")
    broker.kill()
    with pytest.raises(BrokerUnavailableError):
        pulses.report(Pulse(daemon_id="a", silent_seconds=1.0))
    broker.start()
    broker.ready()
