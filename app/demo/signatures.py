"""Verify the two signatures of a delivery, as any receiver in any language would."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

from app.numerals import is_count

_PREFIX = "whsec_"
_TOLERANCE_SECONDS = 300


class Verifier:
    """Checks deliveries against one webhook's secret; raises ValueError for a secret of another form."""

    def __init__(self, secret: str) -> None:
        if not secret.startswith(_PREFIX):
            raise ValueError(f"expected a secret that begins with {_PREFIX}")
        self._secret = secret.encode()
        self._key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)

    def verifies(self, headers: Mapping[str, str], body: bytes, now: float) -> bool:
        """Whether both signatures are right: X-Truto-Signature and those of Standard Webhooks."""
        return self._verifies_truto(headers, body) and self._verifies_standard(headers, body, now)

    def _verifies_truto(self, headers: Mapping[str, str], body: bytes) -> bool:
        expected = f"format=sha256,v={hmac.new(self._secret, body, hashlib.sha256).hexdigest()}"
        return _is_equal(headers.get("X-Truto-Signature", ""), expected)

    def _verifies_standard(self, headers: Mapping[str, str], body: bytes, now: float) -> bool:
        id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        # The time is signed too, so that an intercepted delivery can not be replayed later.
        if not id or not is_count(timestamp) or abs(now - int(timestamp)) > _TOLERANCE_SECONDS:
            return False
        digest = hmac.new(self._key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        expected = f"v1,{base64.b64encode(digest).decode()}"
        # Several, separated by spaces, while a secret is being replaced.
        return any(_is_equal(given, expected) for given in headers.get("webhook-signature", "").split())


def _is_equal(given: str, expected: str) -> bool:
    # As bytes: compare_digest refuses text beyond ASCII, which anyone may send.
    return hmac.compare_digest(given.encode(errors="surrogateescape"), expected.encode())
