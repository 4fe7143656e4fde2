"""The manifest of a table: an object for each range of the log that is complete, which names the range's file.

No object is ever read to be written again: whoever writes late, after another has taken the lease, puts what is there
already. A file of many ranges makes those within it void, from the moment that its own object is there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from app.destinations.files.names import FileRange
from app.engine.errors import DestinationError
from app.engine.json_types import JsonObject

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file that is complete."""

    range: FileRange
    path: str
    """Of its file."""
    rows: int
    bytes: int
    written_at: datetime
    columns: Sequence[str]


def write_entry(entry: Entry, facts: JsonObject) -> bytes:
    """Return an entry as JSON, with what else is notified of its file."""
    own = entry.range
    shown = {
        "version": _VERSION,
        "path": entry.path,
        "account_id": own.account_id,
        "epoch": own.epoch,
        "first_sequence": own.first_sequence,
        "last_sequence": own.last_sequence,
        "listing": own.listing,
        "is_compacted": own.is_compacted,
        "rows": entry.rows,
        "bytes": entry.bytes,
        "written_at": entry.written_at,
        "columns": list(entry.columns),
        **facts,
    }
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)


def read_entry(content: bytes, name: str) -> Entry:
    """Read an entry; raise DestinationError for what Ferryman has not written."""
    try:
        shown = orjson.loads(content)
        own = FileRange(
            account_id=shown["account_id"],
            epoch=shown["epoch"],
            first_sequence=shown["first_sequence"],
            last_sequence=shown["last_sequence"],
            listing=shown["listing"],
            is_compacted=shown["is_compacted"],
        )
        return Entry(
            range=own,
            path=shown["path"],
            rows=shown["rows"],
            bytes=shown["bytes"],
            written_at=datetime.fromisoformat(shown["written_at"]).astimezone(UTC),
            columns=shown["columns"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DestinationError(f"{name} is no manifest of Ferryman's", code="broken_manifest", is_final=True) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an account is written: since it was last filled anew, everything from one sequence to another."""

    epoch: int
    first_sequence: int
    through: int
    fence: int
    """Of the last writer."""


def write_progress(progress: Progress, account_id: str, at: datetime) -> bytes:
    """Return it as JSON."""
    shown = {
        "version": _VERSION,
        "account_id": account_id,
        "epoch": progress.epoch,
        "first_sequence": progress.first_sequence,
        "through": progress.through,
        "fence": progress.fence,
        "written_at": at,
    }
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)


def read_progress(content: bytes | None, name: str) -> Progress | None:
    """Read it; None where nothing was written yet."""
    if content is None:
        return None
    try:
        shown = orjson.loads(content)
        return Progress(
            **{key: int(shown[key]) for key in ("epoch", "first_sequence", "through", "fence")},
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DestinationError(f"{name} is no manifest of Ferryman's", code="broken_manifest", is_final=True) from error


def choose_ranges(ranges: Iterable[FileRange], progress: Progress | None) -> list[FileRange]:
    """Return the ranges that count, in the order of the log: those that nothing written later takes the place of."""
    known = list(ranges)
    kept = [one for one in known if progress is None or not _is_filled_anew(one, progress)]
    return sorted(
        (one for one in kept if not any(voids(other, one) for other in kept)),
        key=lambda one: (one.last_sequence, one.first_sequence, one.stem),
    )


def voids(other: FileRange, one: FileRange) -> bool:
    """Whether a range takes the place of another one: it holds all of that, and was merged of it or written later."""
    if other == one or other.account_id != one.account_id or other.listing or one.listing:
        return False
    if not other.first_sequence <= one.first_sequence <= one.last_sequence <= other.last_sequence:
        return False
    if other.epoch != one.epoch:
        return other.epoch > one.epoch
    return other.is_compacted and (not one.is_compacted or _count(other) > _count(one))


def lost_file(path: str) -> DestinationError:
    """Return that a file is not there which the manifest names."""
    message = f"the file {path} was removed although the manifest names it: fill the destination anew"
    return DestinationError(message, code="file_gone", is_final=True)


def _count(own: FileRange) -> int:
    return own.last_sequence - own.first_sequence


def _is_filled_anew(one: FileRange, progress: Progress) -> bool:
    is_within = progress.first_sequence <= one.first_sequence and one.last_sequence <= progress.through
    return one.epoch < progress.epoch and is_within and not one.listing
