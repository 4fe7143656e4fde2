"""A broker of the user's own, of which a stack must be sure before it starts anything."""

import pytest

from app.stack import given_broker
from app.stack.data_directory import DataDirectory
from app.stack.errors import StackError


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://:hidden-word@127.0.0.1:9/0", "the broker at redis://127.0.0.1:9/0 can not be used (Error 111 "),
        ("amqp://user:hidden-word@127.0.0.1:9//", "the broker at amqp://127.0.0.1:9// can not be used ([Errno 111] "),
        ("redis+socket://:hidden-word@/nowhere.sock", "the broker at redis+socket:///nowhere.sock can not be used ("),
        ("http://:hidden-word@broker", "expected a URL like redis://host:6379/0 or amqp://"),
        ("sentinel://:hidden-word@broker", "Redis Sentinel is not supported"),
        ("redis://:hidden-word@broker/0?retry=1", "the parameter retry is not known with redis://"),
        ("memory://hidden-word", "the stack is several processes: expected a Redis or a RabbitMQ"),
    ],
    ids=["redis", "rabbitmq", "socket", "another kind", "sentinel", "parameter", "of one process"],
)
def test_broker_that_can_not_be_had_is_refused_without_its_login(data: DataDirectory, url: str, told: str) -> None:
    with pytest.raises(StackError) as caught:
        given_broker.check_broker(data, url)

    assert str(caught.value).startswith(f"BROKER_URL: {told}")
    assert "hidden-word" not in str(caught.value)
    assert given_broker.read_url(data) is None


def test_url_of_a_stack_before_is_forgotten(data: DataDirectory) -> None:
    data.broker_url_file.write_text("redis://of.a.killed.stack/0")

    given_broker.check_broker(data, "")

    assert given_broker.read_url(data) is None


def test_places_of_a_cluster_are_named_without_logins() -> None:
    named = given_broker.hide_login("amqp://a:hidden@one/x;amqp://b:hidden@two:5673/x")

    assert named == "amqp://one/x;amqp://two:5673/x"
