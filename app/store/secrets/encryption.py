"""Encrypt credentials and secrets at rest: data keys seal them, and the keys of a setting seal the data keys.

So a key can be replaced while everything runs: the data keys are in Postgres, where every process finds a new one.
What is sealed is bound to its place (bound_values.py). The format before, Fernet, was bound to none: it is still
opened until a rotation has replaced it.
"""

import json
import time
from collections.abc import Callable
from typing import Final

from cryptography.fernet import Fernet, InvalidToken

from app.engine.errors import UnreadableSecretError
from app.engine.ids import new_id
from app.engine.json_types import JSON
from app.services.ports import SealPurpose
from app.store.secrets.bound_values import Place, token_place
from app.store.secrets.encryption_keys import KeyStore
from app.store.secrets.known_keys import DataKey, KnownKeys
from app.store.secrets.master_keys import MasterKeys, UnboundValues

_PREFIX: Final = b"k2:"
_OLD_PREFIX: Final = b"k:"
_KEY_ID_CHARACTERS: Final = 8
_FOREIGN_KEY: Final = (
    "FERRYMAN_ENCRYPTION_KEY does not open the secrets of this database, which were encrypted with another key: "
    "set that key, or both parted by a comma"
)


class Cipher:
    """Seals and opens JSON values; safe to use from many threads."""

    def __init__(self, master_keys: str, keys: KeyStore, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """``master_keys`` are parted by commas: each opens what it sealed, and the first one seals."""
        self._unbound = UnboundValues(keys, monotonic)
        self._master = MasterKeys(master_keys, self._unbound)
        self._known = KnownKeys(self._master, keys, monotonic)
        self._keys = keys

    def seal(self, value: JSON, place: Place) -> bytes:
        """Encrypt a JSON value for a place, by the key that is current at this moment."""
        key_id, wrapped = self._keys.current() or self.rotate(None)
        return prefix(key_id) + self._known.open(key_id, wrapped).bound.seal(json.dumps(value).encode(), place)

    def open(self, sealed: bytes, place: Place) -> JSON:
        """Decrypt what was sealed for a place.

        Raises UnreadableSecretError when its key is not at hand, and for what was sealed for another place.
        """
        return self._open(sealed, place, self._known.of_row)

    def open_token(self, sealed: bytes, place: Place) -> JSON:
        """Decrypt what a stranger brings, whose made-up key ids cost nothing; raise UnreadableSecretError."""
        return self._open(sealed, place, self._known.of_caller)

    def check_encryption_key(self) -> None:
        """Raise UnreadableSecretError when no master key at hand opens the data key that is current in the database."""
        current = self._keys.current()
        if current is None:
            return
        try:
            self._known.open(*current)
        except UnreadableSecretError as error:
            raise UnreadableSecretError(_FOREIGN_KEY) from error

    def rotate(self, old_key_id: str | None) -> tuple[str, bytes]:
        """Make a new key current in the place of an old one; return what is current then."""
        key_id = new_id().replace("-", "")[-_KEY_ID_CHARACTERS:]
        self._keys.make_current(key_id, self._master.wrap(key_id, Fernet.generate_key()), instead_of=old_key_id)
        found = self._keys.current()
        assert found is not None
        return found

    def rewrapped(self, key_id: str, wrapped: bytes) -> bytes:
        """Wrap a data key by the first master key."""
        return self._master.wrap(key_id, self._master.unwrap(key_id, wrapped))

    def _open(self, sealed: bytes, place: Place, key_of: Callable[[str], DataKey]) -> JSON:
        sealed = bytes(sealed)
        if not sealed.startswith((_PREFIX, _OLD_PREFIX)):
            return json.loads(self._master.open_old(sealed, place))
        head, key_id, token = _parts(sealed)
        if head + b":" == _PREFIX:
            return json.loads(key_of(key_id).bound.open(token, place))
        self._unbound.demand(place)
        try:
            return json.loads(key_of(key_id).old.decrypt(token))
        except InvalidToken as error:
            raise UnreadableSecretError from error


class TokenSeal:
    """Seals what callers carry, each kind for its purpose."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    def seal(self, value: JSON, purpose: SealPurpose) -> bytes:
        """Encrypt a JSON value for a purpose."""
        return self._cipher.seal(value, token_place(purpose))

    def open(self, sealed: bytes, purpose: SealPurpose) -> JSON:
        """Decrypt what ``seal`` gave for a purpose; raise UnreadableSecretError for anything else."""
        return self._cipher.open_token(sealed, token_place(purpose))


def prefix(key_id: str) -> bytes:
    """Return what everything begins with that a data key has sealed for its place."""
    return _PREFIX + key_id.encode() + b":"


def key_id_of(sealed: bytes) -> str:
    """Return which data key sealed a value; empty when it was the master key itself, or the value names none."""
    sealed = bytes(sealed)
    try:
        return _parts(sealed)[1] if sealed.startswith((_PREFIX, _OLD_PREFIX)) else ""
    except UnreadableSecretError:
        return ""


def _parts(sealed: bytes) -> tuple[bytes, str, bytes]:
    try:
        head, key_id, token = sealed.split(b":", 2)
        return head, key_id.decode(), token
    except ValueError as error:
        raise UnreadableSecretError from error
