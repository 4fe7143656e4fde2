import pytest
from kombu.exceptions import ContentDisallowed, DecodeError
from kombu.serialization import dumps, loads

from app.broker import signing
from app.broker.signing import SigningKeyError

KEY = "k" * 32
MESSAGE = [["run-1", "unit-1"], {}, {"callbacks": None}]


def test_without_a_key_messages_are_json() -> None:
    assert signing.register_serializer("") == "json"


def test_a_signed_message_is_read_back() -> None:
    content_type, encoding, body = dumps(MESSAGE, serializer=signing.register_serializer(KEY))

    assert loads(body, content_type, encoding, accept=[content_type]) == MESSAGE


def test_a_message_of_another_key_is_refused() -> None:
    content_type, encoding, body = dumps(MESSAGE, serializer=signing.register_serializer("x" * 32))
    signing.register_serializer(KEY)

    with pytest.raises(DecodeError, match="not signed"):
        loads(body, content_type, encoding, accept=[content_type])


@pytest.mark.parametrize("changed", [b"[]", b"0" * 64 + b"[]", b"0" * 63])
def test_a_message_that_was_changed_is_refused(changed: bytes) -> None:
    content_type, encoding, _ = dumps(MESSAGE, serializer=signing.register_serializer(KEY))

    with pytest.raises(DecodeError):
        loads(changed, content_type, encoding, accept=[content_type])


@pytest.mark.parametrize("plain", ["json", "pickle"])
def test_a_message_that_is_not_signed_is_refused(plain: str) -> None:
    content_type, encoding, body = dumps(MESSAGE, serializer=plain)
    name = signing.register_serializer(KEY)

    with pytest.raises(ContentDisallowed):
        loads(body, content_type, encoding, accept=[name], force=True)


def test_a_short_key_is_told() -> None:
    with pytest.raises(SigningKeyError, match="FERRYMAN_MESSAGE_KEY has 5 characters"):
        signing.register_serializer("short")
