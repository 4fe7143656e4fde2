"""Sign webhook deliveries in two formats (docs/wire.md decision 15).

``X-Truto-Signature``: HMAC-SHA256 of the body, keyed by the secret's text. Standard Webhooks: HMAC-SHA256 of
``id.timestamp.body``, keyed by the bytes behind the secret's ``whsec_`` prefix
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md). While two secrets are
valid, the one header holds a signature by each, the newer first, as that specification has it; the other holds one, so
that it has a second header beside it.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

_PREFIX = "whsec_"
_SECRET_BYTES = 32
_OF_THE_BODY = ("X-Truto-Signature", "X-Truto-Signature-Previous")


def make_secret() -> str:
    """Make a secret as Standard Webhooks writes it: ``whsec_`` and 32 random bytes in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def sign_headers(
    valid_secrets: Sequence[str], *, encoding: str, event_id: str, timestamp_seconds: int, body: bytes
) -> dict[str, str]:
    """Return the signature headers of one attempt, by one secret or two; ``encoding`` is ``hex`` or ``base64``."""
    content = f"{event_id}.{timestamp_seconds}.".encode() + body
    standard = [base64.b64encode(_sign(_read_key(secret), content)).decode() for secret in valid_secrets]
    made = {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp_seconds),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in standard),
    }
    for name, secret in zip(_OF_THE_BODY, valid_secrets, strict=False):
        digest = _sign(secret.encode(), body)
        value = base64.b64encode(digest).decode() if encoding == "base64" else digest.hex()
        made[name] = f"format=sha256,v={value}"
    return made


def _sign(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, content, hashlib.sha256).digest()


def _read_key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:  # no base64, or not even ASCII
        return secret.encode()
