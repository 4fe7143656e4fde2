"""The keys of the setting, which wrap the data keys: the first one wraps, and each opens what it has wrapped."""

import base64
import threading
from collections.abc import Callable
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app.engine.errors import UnreadableSecretError
from app.store.secrets.bound_values import BoundKey, data_key_place
from app.store.secrets.encryption_keys import KeyStore

_PREFIX: Final = b"w2:"
"""What a wrapped key begins with that is bound to its id; without it, it is of the format before."""
LOOK_SECONDS: Final = 10.0
"""So long after a rotation every process refuses them."""


class MasterKeys:
    """Wraps and unwraps data keys."""

    def __init__(self, setting: str, unbound: "UnboundValues") -> None:
        """``setting`` parts them by commas."""
        texts = [text.strip() for text in setting.split(",")]
        self._old = MultiFernet([Fernet(text) for text in texts])
        self._keys = [BoundKey(base64.urlsafe_b64decode(text), b"data key") for text in texts]
        self._unbound = unbound

    def wrap(self, key_id: str, key: bytes) -> bytes:
        """Encrypt a data key by the first master key."""
        return _PREFIX + self._keys[0].seal(key, data_key_place(key_id))

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        """Decrypt a data key; raise UnreadableSecretError when none of the keys has wrapped it for this id."""
        wrapped = bytes(wrapped)
        if not wrapped.startswith(_PREFIX):
            return self.open_old(wrapped, data_key_place(key_id))
        for key in self._keys:
            try:
                return key.open(wrapped.removeprefix(_PREFIX), data_key_place(key_id))
            except UnreadableSecretError:
                continue
        raise UnreadableSecretError

    def open_old(self, sealed: bytes, place: str) -> bytes:
        """Decrypt what a master key itself has sealed in the format before."""
        self._unbound.demand(place)
        try:
            return self._old.decrypt(sealed)
        except InvalidToken as error:
            raise UnreadableSecretError from error


class UnboundValues:
    """Whether values of the format before, which open anywhere, may be opened: until a rotation has replaced them.

    Asks only when there is one to open, seldom, and never again after a no.
    """

    def __init__(self, keys: KeyStore, monotonic: Callable[[], float]) -> None:
        self._keys = keys
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._is_refused = False
        self._looked_at = float("-inf")

    def demand(self, place: str) -> None:
        """Raise UnreadableSecretError when none may be opened any more."""
        if self._refuses():
            raise UnreadableSecretError(
                f"what is stored at '{place}' is encrypted in the format that is bound to no row, "
                "which is refused since 'ferryman keys rotate' has replaced all of it"
            )

    def _refuses(self) -> bool:
        with self._lock:
            now = self._monotonic()
            if not self._is_refused and now >= self._looked_at + LOOK_SECONDS:
                self._is_refused = self._keys.refuses_unbound()
                self._looked_at = now
            return self._is_refused
