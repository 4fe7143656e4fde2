"""The objects of a store below one folder of it."""

from collections.abc import Iterator, Sequence

from app.destinations.files.ports import ObjectStore, StoredObject


class PrefixedObjects:
    """Those whose names begin with a prefix, by the rest of their names."""

    def __init__(self, inner: ObjectStore, prefix: str) -> None:
        self._inner = inner
        self._prefix = f"{prefix.strip('/')}/"

    def put(self, name: str, content: bytes) -> None:
        """Store an object below the prefix."""
        self._inner.put(self._prefix + name, content)

    def create(self, name: str, content: bytes) -> bool:
        """Store an object below the prefix where there is none."""
        return self._inner.create(self._prefix + name, content)

    def get(self, name: str) -> bytes | None:
        """Read an object below the prefix."""
        return self._inner.get(self._prefix + name)

    def list(self, folder: str) -> Iterator[StoredObject]:
        """List a folder below the prefix."""
        for name, size in self._inner.list((self._prefix + folder).rstrip("/")):
            yield StoredObject(name.removeprefix(self._prefix), size)

    def delete(self, names: Sequence[str]) -> None:
        """Remove objects below the prefix."""
        self._inner.delete([self._prefix + name for name in names])

    def close(self) -> None:
        """Let go of the store."""
        self._inner.close()
