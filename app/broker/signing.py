"""Sign Celery messages with HMACs by one key, for brokers that others can write to.

Celery's own ``auth`` serializer signs with X.509 certificates, which somebody has to issue, hand out and renew for each
process. All processes of one Ferryman trust each other and share secrets anyway: one more key is enough. The body of
every message is signed, and with a task also its headers (``task_messages``). A repeated or late message does no harm,
since it only names a row (docs/celery.md).
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
    """The key for messages is too short."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs and checks by one key."""

    _secret: bytes = field(repr=False)

    def sign(self, value: Any) -> bytes:
        """Write a value as signed JSON."""
        body = orjson.dumps(value)
        return self._mac(b"", body).encode() + body

    def verify(self, message: bytes | str) -> bytes:
        """Return the JSON of a signed message; raise DecodeError unless it was signed by this key."""
        raw = message.encode() if isinstance(message, str) else bytes(message)
        mac, body = raw[:_MAC_CHARACTERS], raw[_MAC_CHARACTERS:]
        if not hmac.compare_digest(mac, self._mac(b"", body).encode()):
            raise DecodeError("the message is not signed by FERRYMAN_MESSAGE_KEY")
        return body

    def seal(self, purpose: str, value: Any) -> str:
        """Return the MAC of a value for one purpose, whatever the order of its objects' members."""
        return self._mac(purpose.encode() + b"\0", orjson.dumps(value, option=orjson.OPT_SORT_KEYS))

    def verifies(self, seal: object, purpose: str, value: Any) -> bool:
        """Whether a seal is the MAC of this value for this purpose."""
        return isinstance(seal, str) and hmac.compare_digest(seal.encode(), self.seal(purpose, value).encode())

    def _mac(self, domain: bytes, body: bytes) -> str:
        return hmac.digest(self._secret, domain + body, "sha256").hex()


def build_signer(key: str) -> Signer | None:
    """Return the signer of a key, None without one; raise SigningKeyError for one that is too short."""
    if not key:
        return None
    if len(key) < LEAST_KEY_CHARACTERS:
        raise SigningKeyError(
            f"FERRYMAN_MESSAGE_KEY has {len(key)} characters: expected {LEAST_KEY_CHARACTERS} or more"
        )
    return Signer(hashlib.sha256(key.encode()).digest())


def register_serializer(key: str) -> str:
    """Return the name of the serializer: plain JSON without a key; else one that signs is registered in kombu."""
    signer = build_signer(key)
    if signer is None:
        return "json"
    registry.register(
        CONTENT,
        signer.sign,
        lambda message: orjson.loads(signer.verify(message)),
        content_type=CONTENT_TYPE,
        content_encoding="utf-8",
    )
    return CONTENT
