"""Encrypt credentials and secrets at rest: data keys seal them, and the keys of a setting seal the data keys.

So a key can be replaced while everything runs: the data keys are in Postgres, where every process finds a new one.
Fernet (AES-128-CBC and HMAC-SHA256) does both. What was sealed before there were data keys is still opened.
"""

import json
import threading
from typing import Final, Protocol

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app.engine.errors import UnreadableSecretError
from app.engine.ids import new_id
from app.engine.json_types import JSON

_PREFIX: Final = b"k:"
_KEY_ID_CHARACTERS: Final = 8


class WrappedKeys(Protocol):
    """Keeps data keys, themselves encrypted."""

    def current(self) -> tuple[str, bytes] | None:
        """Give the key that seals, as its id and its wrapped form; None before there is any."""

    def find(self, key_id: str) -> bytes | None:
        """Give a key's wrapped form."""

    def make_current(self, key_id: str, wrapped: bytes, *, instead_of: str | None) -> None:
        """Add a key that seals from now on, unless another one than ``instead_of`` does so already."""


class Cipher:
    """Seals and opens JSON values; safe to use from many threads."""

    def __init__(self, master_keys: str, keys: WrappedKeys) -> None:
        """``master_keys`` are parted by commas: each opens what it sealed, and the first one seals."""
        self._master = MultiFernet([Fernet(key.strip()) for key in master_keys.split(",")])
        self._keys = keys
        self._opened: dict[str, Fernet] = {}
        self._lock = threading.Lock()

    def seal(self, value: JSON) -> bytes:
        """Encrypt a JSON value by the key that is current at this moment."""
        key_id, wrapped = self._keys.current() or self.rotate(None)
        token = self._opened_key(key_id, wrapped).encrypt(json.dumps(value).encode())
        return prefix(key_id) + token

    def open(self, sealed: bytes) -> JSON:
        """Decrypt what ``seal`` gave; raise UnreadableSecretError when its key is not at hand."""
        sealed = bytes(sealed)
        if not sealed.startswith(_PREFIX):
            return self._decrypted(self._master, sealed)
        _, key_id, token = sealed.split(b":", 2)
        return self._decrypted(self._key(key_id.decode()), token)

    def rotate(self, old_key_id: str | None) -> tuple[str, bytes]:
        """Make a new key current in the place of an old one; give what is current then."""
        key_id = new_id().replace("-", "")[-_KEY_ID_CHARACTERS:]
        self._keys.make_current(key_id, self._master.encrypt(Fernet.generate_key()), instead_of=old_key_id)
        found = self._keys.current()
        assert found is not None
        return found

    def rewrapped(self, wrapped: bytes) -> bytes:
        """Wrap a data key by the first master key."""
        try:
            return self._master.rotate(bytes(wrapped))
        except InvalidToken as error:
            raise UnreadableSecretError from error

    def _key(self, key_id: str) -> Fernet:
        with self._lock:
            known = self._opened.get(key_id)
        if known is not None:
            return known
        wrapped = self._keys.find(key_id)
        if wrapped is None:
            raise UnreadableSecretError(f"the data key '{key_id}' is gone")
        return self._opened_key(key_id, wrapped)

    def _opened_key(self, key_id: str, wrapped: bytes) -> Fernet:
        with self._lock:
            if key_id not in self._opened:
                try:
                    self._opened[key_id] = Fernet(self._master.decrypt(bytes(wrapped)))
                except InvalidToken as error:
                    raise UnreadableSecretError from error
            return self._opened[key_id]

    @staticmethod
    def _decrypted(key: Fernet | MultiFernet, token: bytes) -> JSON:
        try:
            return json.loads(key.decrypt(token))
        except InvalidToken as error:
            raise UnreadableSecretError from error


def prefix(key_id: str) -> bytes:
    """Give what everything begins with that a data key has sealed."""
    return _PREFIX + key_id.encode() + b":"


def key_id_of(sealed: bytes) -> str:
    """Tell which data key sealed a value; empty when it was the master key itself."""
    sealed = bytes(sealed)
    return sealed.split(b":", 2)[1].decode() if sealed.startswith(_PREFIX) else ""
