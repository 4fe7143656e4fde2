"""What lies in a queue is an envelope, or it is told that it is none: nothing else happens, whatever it is."""

import base64
import json
import os

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kombu.transport.virtual import Channel, Message

from app.broker import envelopes
from app.broker.envelopes import MalformedEnvelopeError
from app.engine.json_types import JsonObject

EXAMPLES = int(os.environ.get("FUZZ_ENVELOPES", "300"))

ENVELOPE: JsonObject = {
    "body": base64.b64encode(b"[[],{},{}]").decode(),
    "content-type": "application/json",
    "content-encoding": "utf-8",
    "headers": {"task": "t", "id": "i"},
    "properties": {
        "delivery_tag": "tag",
        "body_encoding": "base64",
        "delivery_info": {"exchange": "", "routing_key": "q"},
    },
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def test_an_envelope_is_one() -> None:
    assert envelopes.find_fault(ENVELOPE) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"headers": []}, "headers"),
        ({"headers": None}, "headers"),
        ({"headers": {"compression": "zlib"}}, "compressed"),
        ({"properties": None}, "delivery tag"),
        ({"properties": {"delivery_tag": 1}}, "delivery tag"),
        ({"properties": {"delivery_tag": "t"}}, "delivery_info"),
        ({"properties": {**ENVELOPE["properties"], "delivery_info": {"exchange": []}}}, "delivery_info"),
        ({"properties": {**ENVELOPE["properties"], "body_encoding": "rot13"}}, "base64"),
        ({"content-type": {}}, "content type"),
        ({"content-encoding": 1}, "content type"),
        ({"body": "~"}, "base64"),
        ({"body": "\u20ac"}, "base64"),
        ({"body": {}}, "base64"),
    ],
)
def test_fault_is_named(changes: dict[str, object], reason: str) -> None:
    assert reason in str(envelopes.find_fault({**ENVELOPE, **changes}))


@pytest.mark.parametrize(
    "raw",
    [b"", b"nonsense", b"\xff\xfe", b"[" * 200_000, b'{"a":' * 200_000, b"9" * 10_000_000, b"NaN"],
    ids=["empty", "text", "bytes", "nested", "objects", "large", "nan"],
)
def test_what_is_not_json_is_told_at_once(raw: bytes) -> None:
    with pytest.raises(MalformedEnvelopeError):
        envelopes.read(raw)


def test_an_object_that_says_what_it_is_stays_an_object() -> None:
    assert envelopes.read(b'{"__type__": "datetime", "__value__": "2026-01-01"}')["__type__"] == "datetime"


@settings(max_examples=EXAMPLES, deadline=None)
@given(part=st.sampled_from([(), *((name,) for name in ENVELOPE), ("properties", "delivery_info")]), value=json_values)
def test_kombu_makes_a_message_of_all_that_has_no_fault(part: tuple[str, ...], value: object) -> None:
    envelope = json.loads(orjson.dumps(ENVELOPE))
    if part:
        place = envelope
        for name in part[:-1]:
            place = place[name]
        place[part[-1]] = value
    else:
        envelope = value

    read = envelopes.read(orjson.dumps(envelope))

    if envelopes.find_fault(read) is None:
        message = Message(read, channel=_Decoding())
        assert isinstance(message.delivery_info["routing_key"], str)
        assert isinstance(message.body, bytes | str)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        envelopes.find_fault(envelopes.read(raw))
    except MalformedEnvelopeError as error:
        assert str(error) == "not JSON"


class _Decoding(Channel):  # type: ignore[misc]  # kombu has no types
    """A channel of which a message needs no more than this."""

    def __init__(self) -> None:
        self.closed = True
