"""The data keys that a process has opened, and how it looks for one that it does not know."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.fernet import Fernet

from app.engine.errors import UnreadableSecretError
from app.store.secrets.bound_values import BoundKey
from app.store.secrets.encryption_keys import KeyStore
from app.store.secrets.master_keys import MasterKeys

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
                self._found = self._keys.wrapped()
                self._looked_at = now
            wrapped = self._found.get(key_id)
        return self._unwrap(key_id, wrapped)

    def _unwrap(self, key_id: str, wrapped: bytes | None) -> DataKey:
        if wrapped is None:
            raise UnreadableSecretError(f"the data key '{key_id}' is gone")
        return self.open(key_id, wrapped)
