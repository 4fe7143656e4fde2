"""What the cipher needs of the store of data keys."""

from collections.abc import Mapping
from typing import Protocol


class WrappedKeys(Protocol):
    """Keeps data keys, themselves encrypted, and whether a rotation has replaced all values of the format before."""

    def read_current(self) -> tuple[str, bytes] | None:
        """Return the key that seals, as its id and its wrapped form; None before there is any."""

    def make_current(self, key_id: str, wrapped: bytes, *, instead_of: str | None) -> None:
        """Add a key that seals from now on, unless another one than ``instead_of`` does so already."""

    def find(self, key_id: str) -> bytes | None:
        """Return a key's wrapped form."""

    def list_wrapped(self) -> Mapping[str, bytes]:
        """Return all keys' wrapped forms by their ids."""

    def refuses_unbound(self) -> bool:
        """Whether values that are bound to no place are refused."""
