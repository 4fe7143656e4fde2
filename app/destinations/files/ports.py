"""What files are put into."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol


class StoredObject(NamedTuple):
    """One object of a store."""

    name: str
    size: int


class ObjectStore(Protocol):
    """Objects by their names, which are relative paths; used by one thread at a time.

    Every method raises DestinationError, and may be called again after it.
    """

    def put(self, name: str, content: bytes) -> None:
        """Store an object whole and durably, in the place of one that is there."""

    def create(self, name: str, content: bytes) -> bool:
        """Ask to store an object only where there is none; return False where the store refuses that.

        Some stores ignore the condition: only a probe calls this.
        """

    def get(self, name: str) -> bytes | None:
        """Return the content of an object; None where there is none."""

    def list(self, folder: str) -> Iterator[StoredObject]:
        """Yield the objects whose names begin with a folder and a slash, at any depth; of ``""`` all."""

    def delete(self, names: Sequence[str]) -> None:
        """Remove objects; one that is not there is none too many."""

    def close(self) -> None:
        """Let go of connections."""
