"""Objects as files of a folder: each is there whole, and survives a power cut once ``put`` returns."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from app.destinations.files.faults import explain_system_faults
from app.destinations.files.ports import StoredObject

_UNFINISHED: Final = ".part"


class LocalObjects:
    """A folder and all below it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, name: str, content: bytes) -> None:
        """Write beside its place, then move there."""
        path = self._root / name
        with explain_system_faults(name):
            self._make_folder(path.parent)
            unfinished = path.with_name(f".{path.name[:100]}.{uuid4().hex}{_UNFINISHED}")
            try:
                _write(unfinished, content)
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)
            _sync_folder(path.parent)

    def create(self, name: str, content: bytes) -> bool:
        """Write a file that must not be there."""
        path = self._root / name
        with explain_system_faults(name):
            self._make_folder(path.parent)
            try:
                path.open("xb").close()
            except FileExistsError:
                return False
        self.put(name, content)
        return True

    def get(self, name: str) -> bytes | None:
        """Read a file."""
        with explain_system_faults(name):
            try:
                return (self._root / name).read_bytes()
            except FileNotFoundError:
                return None

    def list(self, folder: str) -> Iterator[StoredObject]:
        """Walk through a folder."""
        with explain_system_faults(folder):
            for directory, _, names in os.walk(self._root / folder):
                for name in names:
                    path = Path(directory) / name
                    # What another thread removes meanwhile is not there.
                    with suppress(FileNotFoundError):
                        if not name.endswith(_UNFINISHED):
                            yield StoredObject(path.relative_to(self._root).as_posix(), path.stat().st_size)

    def delete(self, names: Sequence[str]) -> None:
        """Remove files, and the folders that this leaves empty."""
        for name in names:
            path = self._root / name
            with explain_system_faults(name):
                path.unlink(missing_ok=True)
            with suppress(OSError):
                for parent in path.relative_to(self._root).parents[:-1]:
                    (self._root / parent).rmdir()

    def close(self) -> None:
        """Do nothing: each file is closed already."""

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
