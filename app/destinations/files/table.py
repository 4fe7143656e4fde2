"""The objects of one table: its files, and its manifest, which has a folder for each account."""

from collections.abc import Iterable, Sequence

from app.destinations.files import manifest, names
from app.destinations.files.manifest import Entry, Progress
from app.destinations.files.names import FileRange
from app.destinations.files.ports import ObjectStore
from app.engine.json_types import JsonObject

_JSON = ".json"


class Table:
    """One account's part of a table, by the table's folder; what was read or put once is not asked for again.

    Only who holds the account's lease writes there, so what it remembers for a slice stays true.
    """

    def __init__(self, store: ObjectStore, folder: str, account_id: str, listed: Iterable[str] | None = None) -> None:
        """``listed`` are the names of its manifest, where they are known."""
        self._store = store
        self._folder = folder
        self._account_id = account_id
        self._manifest = f"{names.OWN_FOLDER}/{folder}/{account_id}"
        self._ranges: dict[FileRange, Entry | None] | None = None if listed is None else _read_ranges(listed)

    def put_entry(self, entry: Entry, facts: JsonObject) -> None:
        """Name a file as complete."""
        self._store.put(self._name(entry.range), manifest.write_entry(entry, facts))
        if self._ranges is not None:
            self._ranges[entry.range] = entry

    def list_ranges(self) -> list[FileRange]:
        """List the ranges that the manifest names."""
        if self._ranges is None:
            self._ranges = _read_ranges(one.name for one in self._store.list(self._manifest))
        return [*self._ranges]

    def read_entries(self, progress: Progress | None) -> list[Entry]:
        """Return the entries that count, in the order of the log."""
        found = (self.read_entry(own) for own in manifest.choose_ranges(self.list_ranges(), progress))
        return [entry for entry in found if entry is not None]

    def read_entry(self, own: FileRange) -> Entry | None:
        """Read the entry of a range; None where it was removed since."""
        known = None if self._ranges is None else self._ranges.get(own)
        if known is not None:
            return known
        name = self._name(own)
        content = self._store.get(name)
        found = None if content is None else manifest.read_entry(content, name)
        if self._ranges is not None and own in self._ranges:
            self._ranges[own] = found
        return found

    def remove(self, entries: Sequence[Entry]) -> None:
        """Remove files, then what named them."""
        self._store.delete([entry.path for entry in entries])
        self._store.delete([self._name(entry.range) for entry in entries])
        for entry in entries:
            (self._ranges or {}).pop(entry.range, None)

    def erase(self) -> int:
        """Remove all files, those too that the manifest does not name, then it; return how many files they were.

        A process that dies in between is followed by one that finds the manifest, and so the table.
        """
        self._ranges = None
        ranges = self.list_ranges()
        files = {
            one.name
            for one in self._store.list(self._folder)
            if one.name.rpartition("/")[2].startswith(f"{self._account_id}-")
        }
        if not files:
            # Removed by somebody, or a listing that is none: what the manifest names is removed by its name.
            files = {entry.path for own in ranges if (entry := self.read_entry(own)) is not None}
        self._store.delete(sorted(files))
        named = {f"{self._manifest}/{own.stem}{_JSON}" for own in ranges}
        self._store.delete(sorted({one.name for one in self._store.list(self._manifest)} | named))
        self._ranges = None
        return len(files)

    def _name(self, own: FileRange) -> str:
        return f"{self._manifest}/{own.stem}{_JSON}"


def _read_ranges(listed: Iterable[str]) -> dict[FileRange, Entry | None]:
    stems = (name.rpartition("/")[2].removesuffix(_JSON) for name in listed)
    return {own: None for stem in stems if (own := names.parse_stem(stem)) is not None}
