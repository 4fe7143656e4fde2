"""Encrypt credentials and secrets at rest: data keys seal them, and the keys of a setting seal the data keys.

So a key can be replaced while everything runs: the data keys are in Postgres, where every process finds a new one.
What is sealed is bound to its place (bound_values.py). The format before, Fernet, was bound to none: it is still
opened until a rotation has replaced it.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.fernet import Fernet, InvalidToken

from app.engine.errors import UnreadableSecretError
from app.engine.ids import new_id
from app.engine.json_types import JSON
from app.services.calls.ports import SealPurpose
from app.store.secrets.bound_values import BoundKey, Place, token_place
from app.store.secrets.encryption_keys import KeyStore
from app.store.secrets.master_keys import MasterKeys, UnboundValues

_LOOK_SECONDS: Final = 1.0
"""How often strangers can make a process look for keys."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key, opened."""

    bound: BoundKey
    old: Fernet
    """Opens what was sealed in the format before, and seals nothing."""


class KnownKeys:
    """The opened data keys of a process; safe to use from many threads."""

    def __init__(self, master: MasterKeys, keys: KeyStore, monotonic: Callable[[], float]) -> None:
        self._master = master
        self._keys = keys
        self._monotonic = monotonic
        self._opened: dict[str, DataKey] = {}
        self._looking = threading.Lock()
        self._found: Mapping[str, bytes] = {}
        self._looked_at = float("-inf")

    def open(self, key_id: str, wrapped: bytes) -> DataKey:
        """Open a key, unless it is; raise UnreadableSecretError when no master key at hand has wrapped it."""
        known = self._opened.get(key_id)
        if known is None:
            key = self._master.unwrap(key_id, wrapped)
            known = self._opened[key_id] = DataKey(BoundKey(key, b"value"), Fernet(key))
        return known

    def of_row(self, key_id: str) -> DataKey:
        """Find the key that a row names; raise UnreadableSecretError when it is gone."""
        known = self._opened.get(key_id)
        if known is not None:
            return known
        return self._unwrap(key_id, self._keys.find(key_id))

    def of_caller(self, key_id: str) -> DataKey:
        """Find the key that a caller names, who may be anybody: Postgres is asked at most once a second.

        Each look sees all keys, so that names which are made up can not keep a real one from being found.
        """
        known = self._opened.get(key_id)
        if known is not None:
            return known
        # Held during the look: a caller that comes meanwhile with a real key waits for the result.
        with self._looking:
            now = self._monotonic()
            if key_id not in self._found and now >= self._looked_at + _LOOK_SECONDS:
                self._found = self._keys.list_wrapped()
                self._looked_at = now
            wrapped = self._found.get(key_id)
        return self._unwrap(key_id, wrapped)

    def _unwrap(self, key_id: str, wrapped: bytes | None) -> DataKey:
        if wrapped is None:
            raise UnreadableSecretError(f"the data key '{key_id}' is gone")
        return self.open(key_id, wrapped)


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
        key_id, wrapped = self._keys.read_current() or self.rotate(None)
        return prefix(key_id) + self._known.open(key_id, wrapped).bound.seal(json.dumps(value).encode(), place)

    def open(self, sealed: bytes, place: Place) -> JSON:
        """Decrypt what was sealed for a place.

        Raises UnreadableSecretError when its key is not at hand, and for what was sealed for another place.
        """
        return self._open(sealed, place, self._known.of_row)

    def open_token(self, sealed: bytes, place: Place) -> JSON:
        """Decrypt what an unknown caller sends, whose made-up key ids cost nothing; raise UnreadableSecretError."""
        return self._open(sealed, place, self._known.of_caller)

    def check_encryption_key(self) -> None:
        """Raise UnreadableSecretError when no master key at hand opens the data key that is current in the database."""
        current = self._keys.read_current()
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
        found = self._keys.read_current()
        assert found is not None
        return found

    def wrap_anew(self, key_id: str, wrapped: bytes) -> bytes:
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
