"""Celery messages that carry a proof of who sent them: HMACs by one key, for brokers that others can write to.

Celery's own ``auth`` serializer signs with X.509 certificates, which somebody has to issue, hand out and renew for each
process. All processes of one Ferryman trust each other and share secrets anyway: one key more is enough. The body of
every message is signed, and of a task's all else that Celery acts on too (``task_messages``). A message that is
repeated or late does no harm, since each only says which row to look at (docs/celery.md).
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from kombu.exceptions import DecodeError
from kombu.serialization import registry

from app.setting_values import LEAST_MESSAGE_KEY_CHARACTERS

CONTENT: Final = "ferryman-signed"
CONTENT_TYPE: Final = "application/x-ferryman-signed"
_MAC_CHARACTERS: Final = 64
LEAST_KEY_CHARACTERS: Final = LEAST_MESSAGE_KEY_CHARACTERS


class SigningKeyError(ValueError):
    """The key that signs messages is too short to be one."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs and checks by one key."""

    _secret: bytes = field(repr=False)

    def sign(self, value: Any) -> bytes:
        """Write a value as signed JSON."""
        body = orjson.dumps(value)
        return self._mac(b"", body).encode() + body

    def opened(self, message: bytes | str) -> bytes:
        """Return the JSON of a signed message; raise DecodeError when it was not signed by this key."""
        raw = message.encode() if isinstance(message, str) else bytes(message)
        told, body = raw[:_MAC_CHARACTERS], raw[_MAC_CHARACTERS:]
        if not hmac.compare_digest(told, self._mac(b"", body).encode()):
            raise DecodeError("the message is not signed by FERRYMAN_MESSAGE_KEY")
        return body

    def seal(self, purpose: str, value: Any) -> str:
        """Compute what proves a value, for one purpose, whatever the order of its objects' members."""
        return self._mac(purpose.encode() + b"\0", orjson.dumps(value, option=orjson.OPT_SORT_KEYS))

    def proves(self, seal: object, purpose: str, value: Any) -> bool:
        """Whether a seal was computed by this key of this value for this purpose."""
        return isinstance(seal, str) and hmac.compare_digest(seal.encode(), self.seal(purpose, value).encode())

    def _mac(self, domain: bytes, body: bytes) -> str:
        return hmac.digest(self._secret, domain + body, "sha256").hex()


def signer(key: str) -> Signer | None:
    """Make what signs by a key; None without one. Raise SigningKeyError for one that is too short."""
    if not key:
        return None
    if len(key) < LEAST_KEY_CHARACTERS:
        raise SigningKeyError(
            f"FERRYMAN_MESSAGE_KEY has {len(key)} characters: expected {LEAST_KEY_CHARACTERS} or more"
        )
    return Signer(hashlib.sha256(key.encode()).digest())


def serializer(key: str) -> str:
    """Name the serializer of messages: without a key it is plain JSON; else kombu is taught to sign and check by it."""
    signs = signer(key)
    if signs is None:
        return "json"
    registry.register(
        CONTENT,
        signs.sign,
        lambda message: orjson.loads(signs.opened(message)),
        content_type=CONTENT_TYPE,
        content_encoding="utf-8",
    )
    return CONTENT
