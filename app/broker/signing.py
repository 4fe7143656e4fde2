"""Celery messages that carry a proof of who sent them: JSON with an HMAC, for brokers that others can write to.

Celery's own ``auth`` serializer signs with X.509 certificates, which somebody has to issue, hand out and renew for each
process. All processes of one Ferryman trust each other and share secrets anyway: one key more is enough. What is
signed is a message's body, its arguments and where it leads; a message that is repeated, late or given another task's
name does no harm, since each only says which row to look at (docs/celery.md).
"""

import hashlib
import hmac
from typing import Any, Final

import orjson
from kombu.exceptions import DecodeError
from kombu.serialization import registry

from app.setting_values import LEAST_MESSAGE_KEY_CHARACTERS

CONTENT: Final = "ferryman-signed"
_CONTENT_TYPE: Final = "application/x-ferryman-signed"
_MAC_BYTES: Final = 32
LEAST_KEY_CHARACTERS: Final = LEAST_MESSAGE_KEY_CHARACTERS


class SigningKeyError(ValueError):
    """The key that signs messages is too short to be one."""


def serializer(key: str) -> str:
    """Name the serializer of messages: without a key it is plain JSON; else kombu is taught to sign and check by it."""
    if not key:
        return "json"
    if len(key) < LEAST_KEY_CHARACTERS:
        raise SigningKeyError(
            f"FERRYMAN_MESSAGE_KEY has {len(key)} characters: expected {LEAST_KEY_CHARACTERS} or more"
        )
    secret = hashlib.sha256(key.encode()).digest()

    def sign(value: Any) -> bytes:
        body = orjson.dumps(value)
        return _mac(secret, body).hex().encode() + body

    def check(message: Any) -> Any:
        raw = message.encode() if isinstance(message, str) else bytes(message)
        told, body = raw[: 2 * _MAC_BYTES], raw[2 * _MAC_BYTES :]
        if not hmac.compare_digest(told, _mac(secret, body).hex().encode()):
            raise DecodeError("the message is not signed by FERRYMAN_MESSAGE_KEY")
        return orjson.loads(body)

    registry.register(CONTENT, sign, check, content_type=_CONTENT_TYPE, content_encoding="utf-8")
    return CONTENT


def _mac(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, body, "sha256")
