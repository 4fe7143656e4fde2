"""Write ranges of accounts' logs as files: the file first, then what names it, then how far the account is written."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Final

import orjson

from app.destinations.files import faults, manifest, names
from app.destinations.files.compaction import Compaction
from app.destinations.files.held import read_held
from app.destinations.files.manifest import Entry, Progress
from app.destinations.files.names import FileRange, TablePlace
from app.destinations.files.ports import ObjectStore
from app.destinations.files.probe import probe
from app.destinations.files.rows import build_rows, cut_rows
from app.destinations.files.table import Table
from app.destinations.refusals import ENCODING_FAULTS, explain_encoding, find_refused
from app.engine.destinations.file_options import FileChoices
from app.engine.errors import DestinationError, LeaseLostError
from app.engine.json_types import JsonObject
from app.formats.formats import Compression, FileFormat, FileOptions, open_encoder
from app.formats.layout import FileLayout
from app.services.destinations.ports import Batch, HeldKey, LoggedRecord, LogRange, Quarantined, Target, Written
from app.services.ports import Clock

_ROWS_AT_ONCE: Final = 2_000


class FilesWriter:
    """Writes to one destination of files."""

    def __init__(self, store: ObjectStore, target: Target, choices: FileChoices, clock: Clock) -> None:
        self._store = store
        self._target = target
        self._choices = choices
        self._clock = clock
        self._is_owner = False
        self._tables: dict[tuple[str, str], Table] = {}
        self._progress: dict[str, Progress] = {}
        """Of accounts, as this writer has put it: nobody else does while it holds the lease."""

    def test(self) -> JsonObject:
        """Write, read back, list and remove an object; return whether the store enforces conditions."""
        return probe(self._store)

    def write(self, log_range: LogRange, *, fence: int) -> Written:
        """Put the files of a range, then their manifest, then the account's progress."""
        self._check_owner()
        known = self._progress.get(log_range.account_id) or self._read_progress(log_range.account_id)
        if known is not None and known.fence > fence:
            raise LeaseLostError
        put = []
        for batch in log_range.batches:
            try:
                put.append(self._put_file(log_range, batch))
            except ENCODING_FAULTS:
                # Until the account's progress is put, what was put of the other batches does not count.
                if refused := self._find_refused(log_range, batch):
                    return Written(written=0, refused=refused)
                raise
        now = self._clock.now()
        if not log_range.listing:
            progress = _move_on(known, log_range, fence)
            content = manifest.write_progress(progress, log_range.account_id, now)
            self._store.put(names.name_account(log_range.account_id), content)
            known = self._progress[log_range.account_id] = progress
        for batch in log_range.batches:
            place = self._place(log_range, batch.resource)
            table = self._open_table(place, log_range.account_id)
            compaction = Compaction(self._store, table, place, self._target, self._choices)
            compaction.tidy_up(known, now, _describe(log_range, batch))
        return Written(written=sum(one.rows for one in put), bytes=sum(one.bytes for one in put))

    def read_cursor(self, account_id: str, epoch: int) -> int | None:
        """Return how far the account's files say that it is written, of this epoch; 0 where there are none any more."""
        progress = self._read_progress(account_id)
        if progress is None:
            return 0
        return progress.through if progress.epoch == epoch else None

    def read_held(self, account_id: str, tenant_id: str, resource: str) -> Iterator[HeldKey]:
        """Yield the keys that complete files hold, each as its latest row is."""
        progress = self._read_progress(account_id)
        held: dict[str, HeldKey] = {}
        for table in self._find_tables(account_id, resource):
            for entry in table.read_entries(progress):
                for one in read_held(self._store, entry.path):
                    if one.key not in held or one.sequence >= held[one.key].sequence:
                        held[one.key] = one
        yield from held.values()

    def erase(self, account_id: str, tenant_id: str, resource: str | None) -> int:
        """Remove the files of an account, those too that no manifest names; return how many they were."""
        self._tables, self._progress = {}, {}
        count = sum(table.erase() for table in self._find_tables(account_id, resource))
        if resource is None:
            self._store.delete([names.name_account(account_id)])
        return count

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def _put_file(self, log_range: LogRange, batch: Batch) -> Entry:
        place = self._place(log_range, batch.resource)
        content, columns = self._encode(log_range, batch)
        own = FileRange(
            account_id=log_range.account_id,
            epoch=log_range.epoch,
            first_sequence=log_range.first_sequence,
            last_sequence=log_range.last_sequence,
            listing=names.shorten_listing(log_range.listing),
        )
        day = max(record.synced_at for record in batch.records).astimezone(UTC).date()
        entry = Entry(
            range=own,
            path=place.name_file(own.stem, day, self._file_options().extension),
            rows=len(batch.records),
            bytes=len(content),
            written_at=self._clock.now(),
            columns=columns,
        )
        self._store.put(entry.path, content)
        self._open_table(place, log_range.account_id).put_entry(entry, _describe(log_range, batch))
        return entry

    def _encode(self, log_range: LogRange, batch: Batch) -> tuple[bytes, Sequence[str]]:
        """Return a file's content, and the names of its columns."""
        layout = FileLayout(columns=list(batch.schema.list_shown()), with_data=self._choices.with_data)
        encoder = open_encoder(layout, self._file_options())
        pieces = [encoder.encode(rows) for rows in cut_rows(build_rows(log_range, batch), _ROWS_AT_ONCE)]
        return b"".join([*pieces, encoder.finish()]), [name for name, _ in layout.named_types]

    def _find_refused(self, log_range: LogRange, batch: Batch) -> list[Quarantined]:
        """Find the records of which the format can make nothing."""

        def attempt(records: Sequence[LoggedRecord]) -> str | None:
            try:
                self._encode(log_range, replace(batch, records=records))
            except ENCODING_FAULTS as error:
                return explain_encoding(error)
            return None

        return find_refused(batch, attempt)

    def _place(self, log_range: LogRange, resource: str) -> TablePlace:
        return TablePlace(
            integration_name=log_range.integration_name,
            resource=resource,
            tenant_id=log_range.tenant_id,
            layout=self._target.layout,
            folders=self._choices.folders,
        )

    def _file_options(self) -> FileOptions:
        return FileOptions(
            format=FileFormat(self._choices.format),
            compression=Compression(self._choices.compression),
            keeps_formulas=self._choices.keep_formulas,
        )

    def _open_table(self, place: TablePlace, account_id: str) -> Table:
        key = (place.table, account_id)
        if key not in self._tables:
            self._tables[key] = Table(self._store, place.table, account_id)
        return self._tables[key]

    def _find_tables(self, account_id: str, resource: str | None) -> list[Table]:
        """Find the tables that may have files of an account."""
        listed = [name for name, _ in self._store.list(names.OWN_FOLDER)]
        if not listed and self._store.get(names.OWNER) is not None:
            # An error in an answer of 200 reads as an empty listing: whoever believed it would leave files behind.
            raise faults.build_error(faults.FAILS, "it lists nothing although it holds objects")
        folders: defaultdict[str, list[str]] = defaultdict(list)
        for name in listed:
            if f"/{account_id}/" in name:
                folders[name.removeprefix(f"{names.OWN_FOLDER}/").rpartition(f"/{account_id}/")[0]].append(name)
        wanted = None if resource is None else names.quote_part(resource)
        return [
            # Each has what this listing shows of it: one of its own might be an error that reads as an empty one.
            Table(self._store, folder, account_id, folders[folder])
            for folder in sorted(folders)
            if wanted is None or folder.rpartition("/")[2] == wanted
        ]

    def _read_progress(self, account_id: str) -> Progress | None:
        name = names.name_account(account_id)
        return manifest.read_progress(self._store.get(name), name)

    def _check_owner(self) -> None:
        """Raise DestinationError where another destination writes to the same place."""
        if self._is_owner:
            return
        own = {"destination_id": self._target.destination_id}
        content = self._store.get(names.OWNER)
        if content is None:
            self._store.put(names.OWNER, orjson.dumps(own))
        elif content != orjson.dumps(own):
            message = f"another destination writes there: take another prefix, or remove {names.OWNER} if it is gone"
            raise DestinationError(message, code="place_taken", is_final=True)
        self._is_owner = True


def _move_on(known: Progress | None, log_range: LogRange, fence: int) -> Progress:
    """Return the progress after a range; a new epoch begins where its first range does."""
    is_same = known is not None and known.epoch == log_range.epoch
    first = min(known.first_sequence, log_range.first_sequence) if known and is_same else log_range.first_sequence
    through = max(known.through, log_range.last_sequence) if known and is_same else log_range.last_sequence
    return Progress(epoch=log_range.epoch, first_sequence=first, through=through, fence=fence)


def _describe(log_range: LogRange, batch: Batch) -> JsonObject:
    """Return what a manifest states of a file beside its range."""
    return {
        "integration": log_range.integration_name,
        "resource": batch.resource,
        "tenant_id": log_range.tenant_id,
        "environment": log_range.environment_name,
    }
