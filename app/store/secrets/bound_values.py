"""Encrypt a value so that it opens in one place only: AES-256-GCM-SIV, with the place as its associated data.

A ciphertext that is copied to another row, column, environment or kind of token does not open there. The mode stays
safe when a random nonce comes twice.
"""

import base64
import binascii
import os
from typing import Final, NewType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.engine.errors import UnreadableSecretError

Place = NewType("Place", str)
"""Where a value belongs, and nowhere else."""

_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32


def column_place(table: str, column: str, environment_id: object, row_id: object) -> Place:
    """Return the place of a column of a row; both ids in the form in which Postgres returns them."""
    return Place(f"{environment_id}|{table}|{column}|{row_id}")


def data_key_place(key_id: str) -> Place:
    """Return the place of the wrapped form of a data key."""
    return Place(f"-|encryption_key|wrapped|{key_id}")


def token_place(purpose: str) -> Place:
    """Return the place of what callers carry for one purpose."""
    return Place(f"-|token|{purpose}|-")


class BoundKey:
    """A key that seals values for their places; safe to use from many threads."""

    def __init__(self, secret: bytes, use: bytes) -> None:
        """``secret`` may be a key of another algorithm, too: another one is derived from it for each ``use``."""
        derived = HKDF(hashes.SHA256(), _KEY_BYTES, salt=None, info=b"ferryman bound " + use).derive(secret)
        self._aead = AESGCMSIV(derived)

    def seal(self, value: bytes, place: Place) -> bytes:
        """Encrypt a value for a place, as text that a bearer token may hold."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.urlsafe_b64encode(nonce + self._aead.encrypt(nonce, value, place.encode()))

    def open(self, sealed: bytes, place: Place) -> bytes:
        """Decrypt what was sealed for a place; raise UnreadableSecretError for anything else."""
        try:
            raw = base64.b64decode(sealed, altchars=b"-_", validate=True)
            return self._aead.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise UnreadableSecretError(
                f"what is stored at '{place}' does not open there: "
                "it was encrypted for another row, column or purpose, by another key, or was changed"
            ) from error
