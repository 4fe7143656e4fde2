"""Merge an account's small files of a table into larger ones, and remove them once nobody reads them any more.

The new file is put first, then the entry that makes the old ones void, and only after a grace time they are removed. A
process may die between any two of these steps: the next one begins again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.destinations.files import manifest
from app.destinations.files.manifest import Entry, Progress
from app.destinations.files.names import FileRange, TablePlace
from app.destinations.files.ports import ObjectStore
from app.destinations.files.table import Table
from app.engine.destinations.file_options import FileChoices
from app.engine.json_types import JsonObject
from app.engine.objects.destinations import Deletes, WriteMode
from app.formats.formats import import_extra
from app.services.destinations.ports import Target


class Compaction:
    """The files of one account in one table."""

    def __init__(
        self, store: ObjectStore, table: Table, place: TablePlace, target: Target, choices: FileChoices
    ) -> None:
        self._store = store
        self._table = table
        self._place = place
        self._target = target
        self._choices = choices

    def tidy_up(self, progress: Progress | None, now: datetime, facts: JsonObject) -> None:
        """Remove what is void for long enough, and merge what has become many files or old ones."""
        ranges = self._table.list_ranges()
        chosen = manifest.choose_ranges(ranges, progress)
        if len(chosen) < len(ranges):
            self._remove_void([own for own in ranges if own not in chosen], chosen, now)
        if self._is_due(chosen, now):
            self._merge(chosen, now, facts)

    def _is_due(self, chosen: Sequence[FileRange], now: datetime) -> bool:
        choices = self._choices
        small = [own for own in chosen if not own.is_compacted and not own.listing]
        if choices.format != "parquet" or not choices.compact_files or len(small) < 2:
            return False
        if len(small) >= choices.compact_files:
            return True
        oldest = self._table.read_entry(small[0])
        return oldest is not None and now - oldest.written_at >= timedelta(hours=choices.compact_hours)

    def _merge(self, chosen: Sequence[FileRange], now: datetime, facts: JsonObject) -> None:
        found = (self._table.read_entry(own) for own in chosen if not own.listing)
        known = [entry for entry in found if entry is not None]
        group = self._find_group(known)
        if len(group) < 2:
            return
        own = FileRange(
            account_id=group[0].range.account_id,
            epoch=max(entry.range.epoch for entry in group),
            first_sequence=min(entry.range.first_sequence for entry in group),
            last_sequence=group[-1].range.last_sequence,
            is_compacted=True,
        )
        merged = import_extra("app.formats.merging", extra="files").merge_files(
            [self._read(entry) for entry in group],
            by_key=self._target.mode is WriteMode.MERGE,
            # A tombstone hides what files before it hold: it goes where there are none.
            drops_deleted=self._target.deletes is Deletes.HARD and group[0] is known[0],
        )
        path = self._place.name_file(own.stem, now.date(), ".parquet")
        self._store.put(path, merged.content)
        entry = Entry(
            range=own, path=path, rows=merged.rows, bytes=len(merged.content), written_at=now, columns=merged.columns
        )
        self._table.put_entry(entry, facts)

    def _find_group(self, known: Sequence[Entry]) -> list[Entry]:
        """Return the last files: the small ones, and the merged one before them as long as it is no large one."""
        group: list[Entry] = []
        size = 0
        for entry in reversed(known):
            size += entry.bytes
            is_enough = entry.range.is_compacted and group and size > self._choices.compact_bytes
            if is_enough:
                break
            group.insert(0, entry)
        return group

    def _read(self, entry: Entry) -> bytes:
        content = self._store.get(entry.path)
        if content is None:
            raise manifest.lost_file(entry.path)
        return content

    def _remove_void(self, void: Sequence[FileRange], chosen: Sequence[FileRange], now: datetime) -> None:
        written: dict[FileRange, datetime | None] = {}
        grace = timedelta(seconds=self._choices.grace_seconds)
        gone: list[Entry] = []
        for own in void:
            instead = next((one for one in chosen if _follows(one, own)), None)
            if instead is None:
                continue
            if instead not in written:
                entry = self._table.read_entry(instead)
                written[instead] = entry.written_at if entry else None
            since = written[instead]
            former = self._table.read_entry(own) if since is not None and now - since >= grace else None
            gone += [former] if former is not None else []
        self._table.remove(gone)


def _follows(one: FileRange, void: FileRange) -> bool:
    """Whether a range that counts is what took the place of another one, or was written after that happened."""
    if manifest.voids(one, void):
        return True
    return one.epoch > void.epoch and one.last_sequence >= void.last_sequence and not one.listing
