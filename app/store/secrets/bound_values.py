"""Encrypt a value so that it opens in one place only: AES-256-GCM-SIV, with the place as its associated data.

A ciphertext that is copied to another row, column, environment or kind of token does not open there. The mode stays
safe when a random nonce comes twice.
"""

import base64
import binascii
import os
from dataclasses import dataclass
from typing import Final, NewType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Table

from app.engine.errors import UnreadableSecretError
from app.store import tables

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


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of bytes that are sealed as a whole, or of JSON whose secret texts are."""

    table: Table
    name: str
    identity: str = "id"
    """The column that identifies its rows, and stays as it is for as long as a row lives."""
    bound_as: str = ""
    """The table that a value is bound to, where its row was moved from there; empty is the column's own."""

    def place(self, environment_id: object, identity: object) -> Place:
        """Return the place of a row's value; both ids as Postgres returns them."""
        return column_place(self.bound_as or self.table.name, self.name, environment_id, identity)


CONTEXT: Final = SealedColumn(tables.integrated_account, "context_encrypted")
ACCOUNT_OVERRIDE: Final = SealedColumn(tables.integrated_account, "integration_override")
# Deleted accounts as they were, so that they come back as they were.
DELETED_CONTEXT: Final = SealedColumn(tables.deleted_account, CONTEXT.name, bound_as=CONTEXT.table.name)
DELETED_OVERRIDE: Final = SealedColumn(tables.deleted_account, ACCOUNT_OVERRIDE.name, bound_as=CONTEXT.table.name)
WEBHOOK_SECRET: Final = SealedColumn(tables.webhook, "secret_encrypted")
WEBHOOK_PREVIOUS_SECRET: Final = SealedColumn(tables.webhook, "previous_secret_encrypted")
DATASTORE_CONFIG: Final = SealedColumn(tables.datastore, "config_encrypted")
NOTIFICATION_CONFIG: Final = SealedColumn(tables.notification_destination, "config_encrypted")
CONFIG: Final = SealedColumn(tables.integration, "config")
# Read beside its integration, without its own id; there is one of each integration.
OVERRIDE: Final = SealedColumn(tables.environment_integration, "override", identity="integration_id")

WHOLE: Final = (
    CONTEXT,
    DELETED_CONTEXT,
    WEBHOOK_SECRET,
    WEBHOOK_PREVIOUS_SECRET,
    DATASTORE_CONFIG,
    NOTIFICATION_CONFIG,
)
IN_JSON: Final = (CONFIG, OVERRIDE, ACCOUNT_OVERRIDE, DELETED_OVERRIDE)
