import pytest

from app.broker import transport
from app.broker.dispatcher import build_publisher

REDIS = "redis://localhost:6379/0"
RABBITMQ = "amqp://guest:guest@localhost//"


@pytest.mark.parametrize(
    ("url", "kind"),
    [(REDIS, None), ("redis+socket:///run/redis.sock", None), (RABBITMQ, "quorum"), ("amqps://mq.example/", "quorum")],
)
def test_queues_of_groups_are_quorum_queues_on_rabbitmq_alone(url: str, kind: str | None) -> None:
    assert transport.queue_type(url) == kind


def test_rabbitmq_confirms_and_knows_no_option_of_redis() -> None:
    assert transport.build_options(RABBITMQ) == {"confirm_publish": True}
    assert "visibility_timeout" in transport.build_options(REDIS)


@pytest.mark.parametrize("url", [REDIS, RABBITMQ])
def test_publisher_waits_for_no_broker_longer_than_it_was_told(url: str) -> None:
    options = build_publisher(url, timeout_seconds=2.0).conf.broker_transport_options

    timeouts = [value for name, value in options.items() if name.endswith("_timeout") and name != "visibility_timeout"]
    assert set(timeouts) == {1.0}
    assert options["max_retries"] == 0


def test_publisher_declares_the_queues_of_groups_as_daemons_do() -> None:
    queues = build_publisher(RABBITMQ, timeout_seconds=2.0).amqp.queues

    assert queues["daemon.default"].queue_arguments == {"x-queue-type": "quorum"}
