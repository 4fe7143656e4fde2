"""Sign webhook deliveries, two ways at once (wire.md decision 15).

``X-Truto-Signature``: HMAC-SHA256 of the body, keyed by the secret's text. Standard Webhooks: HMAC-SHA256 of
``id.timestamp.body``, keyed by the bytes behind the secret's ``whsec_`` prefix
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
"""

import base64
import binascii
import hashlib
import hmac
import secrets

_PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    """Make a secret as Standard Webhooks writes it: ``whsec_`` and 32 random bytes in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def headers(secret: str, *, encoding: str, event_id: str, timestamp_seconds: int, body: bytes) -> dict[str, str]:
    """Give the signature headers of one attempt; ``encoding`` is ``hex`` or ``base64``."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    value = base64.b64encode(digest).decode() if encoding == "base64" else digest.hex()
    content = f"{event_id}.{timestamp_seconds}.".encode() + body
    standard = base64.b64encode(hmac.new(_key(secret), content, hashlib.sha256).digest()).decode()
    return {
        "X-Truto-Signature": f"format=sha256,v={value}",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp_seconds),
        "webhook-signature": f"v1,{standard}",
    }


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        return secret.encode()
