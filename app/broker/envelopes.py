"""Validate what kombu's Redis transport takes from a queue before it becomes a message.

Anyone with access to the broker can push anything. Kombu reads it by the standard library's JSON with hooks that make
objects, and does not validate it: one ``{}`` ended a daemon, a compressed body is unpacked completely.
"""

import base64
import binascii
from typing import Any, Final

import orjson
from kombu import compression

LARGEST_BYTES: Final = 4 * 1024 * 1024
"""Of an envelope. The largest that Ferryman writes is the canvas of a job's resources, 300 bytes for each."""

_TEXT: Final = (str, type(None))


class MalformedEnvelopeError(ValueError):
    """An element of a queue is not an envelope; the text gives the reason and no content."""


def read(raw: bytes | str) -> Any:
    """Read JSON from Redis; raise MalformedEnvelopeError."""
    if len(raw) > LARGEST_BYTES:
        raise MalformedEnvelopeError(f"larger than {LARGEST_BYTES:,} bytes")
    try:
        return orjson.loads(raw)
    except (ValueError, TypeError) as error:
        raise MalformedEnvelopeError("not JSON") from error


def find_fault(envelope: object) -> str | None:
    """Return why kombu can not make a message of a value; None when it can."""
    if not isinstance(envelope, dict):
        return "not an envelope"
    headers, properties = envelope.get("headers"), envelope.get("properties")
    if not isinstance(headers, dict):
        return "headers that are no object"
    if headers.get("compression"):
        return "compressed"
    if not isinstance(properties, dict) or not isinstance(properties.get("delivery_tag"), str):
        return "properties without a delivery tag"
    if not _has_target(properties.get("delivery_info")):
        return "no delivery_info"
    if not all(isinstance(envelope.get(name), _TEXT) for name in ("content-type", "content-encoding")):
        return "a content type that is no text"
    return None if _is_body(envelope.get("body"), properties.get("body_encoding")) else "a body that is not base64"


def _has_target(info: object) -> bool:
    match info:
        case {"exchange": str(), "routing_key": str()}:
            return True
        case _:
            return False


def _is_body(body: object, encoding: object) -> bool:
    if not isinstance(body, str) or encoding != "base64":
        return False
    try:
        base64.b64decode(body.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return False
    return True


def refuse_compression() -> None:
    """Make kombu refuse compressed bodies in this process: Ferryman sends none, and a few bytes unpack to gigabytes."""
    for content_type in compression.encoders():
        compression.register(_refuse, _refuse, content_type)


def _refuse(body: object) -> bytes:
    raise MalformedEnvelopeError("compressed")
