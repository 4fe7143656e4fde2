"""How files are written at a destination: its options, and what each of them may be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from app.engine.destinations.key_checks import check_choice
from app.engine.json_types import JSON

FORMATS: Final = ("parquet", "jsonl", "csv")
COMPRESSIONS: Final = ("none", "gzip", "zstd")


class Folder(StrEnum):
    """What has folders of its own, in their order, below the resource's."""

    TENANT = "tenant_id"
    DATE = "date"
    """The day on which the last record of a file was synced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChoices:
    """How files are written."""

    format: str = "parquet"
    compression: str = "none"
    """Of lines; Parquet compresses its columns itself, and is left as it is."""
    with_data: bool = True
    """Whether files have the column ``data``, which holds what does not fit its column."""
    keep_formulas: bool = True
    """Whether texts in CSV that a spreadsheet would execute stay as they are."""
    folders: Sequence[str] = (Folder.TENANT, Folder.DATE)
    compact_files: int = 32
    """So many small files of an account's resource are merged into one; 0: none are."""
    compact_hours: float = 24
    """Fewer are merged once the oldest of them is so old."""
    compact_bytes: int = 64 * 1024 * 1024
    """A merged file of this size is not merged again."""
    grace_seconds: float = 3600
    """How long files stay after they were merged into another, for who reads them at the time."""


def read_file_choices(options: Mapping[str, JSON]) -> FileChoices:
    """Read a destination's options, which are valid."""
    return FileChoices(**{name: value for name, value in options.items() if name in FILE_OPTIONS})


def _check_flag(value: JSON) -> str | None:
    return None if isinstance(value, bool) else "expected true or false"


def _check_folders(value: JSON) -> str | None:
    are_folders = isinstance(value, list) and all(one in tuple(Folder) for one in value) and len({*value}) == len(value)
    return None if are_folders else f"expected a list of some of: {', '.join(Folder)}"


def _check_files(value: JSON) -> str | None:
    is_count = type(value) is int and (value == 0 or 2 <= value <= 1000)
    return None if is_count else "expected a whole number from 2 to 1000, or 0 for never"


def _check_bytes(value: JSON) -> str | None:
    is_size = type(value) is int and 0 <= value <= _MOST_BYTES
    return None if is_size else f"expected a whole number from 0 to {_MOST_BYTES}"


def _check_time(value: JSON) -> str | None:
    return None if type(value) in (int, float) and 0 <= value <= _LONGEST else f"expected a number from 0 to {_LONGEST}"


_MOST_BYTES: Final = 1024 * 1024 * 1024
_LONGEST: Final = 10_000_000

FILE_OPTIONS: Final[Mapping[str, Callable[[JSON], str | None]]] = MappingProxyType(
    {
        "format": check_choice(FORMATS),
        "compression": check_choice(COMPRESSIONS),
        "with_data": _check_flag,
        "keep_formulas": _check_flag,
        "folders": _check_folders,
        "compact_files": _check_files,
        "compact_hours": _check_time,
        "compact_bytes": _check_bytes,
        "grace_seconds": _check_time,
    }
)
"""The check of each option; it returns what was expected, None when the value may be what it is."""
