"""How files are written at a destination: its options, checked with all faults at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from app.engine.errors import Failure
from app.engine.json_types import JSON, JsonObject

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
    """Of lines; Parquet compresses its columns itself."""
    with_data: bool = True
    """Whether files have the column ``data``, which holds what does not fit its column."""
    keep_formulas: bool = True
    """Whether texts in CSV that a spreadsheet would execute stay as they are."""
    folders: Sequence[str] = (Folder.TENANT, Folder.DATE)
    compact_files: int = 32
    """So many small files of an account's resource are merged into one; 0: none are."""
    compact_hours: float = 24
    """Fewer are merged once the oldest of them is so old."""
    compact_bytes: int = 128 * 1024 * 1024
    """A file of this size stays as it is."""
    grace_seconds: float = 3600
    """How long files stay after they were merged into another, for who reads them at the time."""


def check_file_options(options: JsonObject) -> list[Failure]:
    """Return every fault of a destination's options."""
    unknown = [
        Failure(f"options.{name}", f"is no option of files: expected {', '.join(_EXPECTED)}")
        for name in options
        if name not in _EXPECTED
    ]
    wrong = [
        Failure(f"options.{name}", f"expected {expected}")
        for name, expected in _EXPECTED.items()
        if name in options and not _is_valid(name, options[name])
    ]
    is_parquet = options.get("format", "parquet") == "parquet"
    if is_parquet and options.get("compression", "none") != "none":
        wrong.append(Failure("options.compression", "is for jsonl and csv: Parquet compresses its columns itself"))
    return [*unknown, *wrong]


def read_file_options(options: JsonObject) -> FileChoices:
    """Read a destination's options, which are valid."""
    return FileChoices(**{name: value for name, value in options.items() if name in _EXPECTED})


_EXPECTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "format": f"one of: {', '.join(FORMATS)}",
        "compression": f"one of: {', '.join(COMPRESSIONS)}",
        "with_data": "true or false",
        "keep_formulas": "true or false",
        "folders": f"a list of some of: {', '.join(Folder)}",
        "compact_files": "a whole number from 2 on, or 0 for never",
        "compact_hours": "a number from 0 on",
        "compact_bytes": "a whole number from 0 on",
        "grace_seconds": "a number from 0 on",
    }
)


def _is_valid(name: str, value: JSON) -> bool:
    match name:
        case "format" | "compression":
            return value in (FORMATS if name == "format" else COMPRESSIONS)
        case "with_data" | "keep_formulas":
            return isinstance(value, bool)
        case "folders":
            return isinstance(value, list) and all(one in tuple(Folder) for one in value) and _is_distinct(value)
        case "compact_files":
            return _is_whole(value) and (value == 0 or value >= 2)
        case "compact_bytes":
            return _is_whole(value)
        case _:
            return type(value) in (int, float) and value >= 0


def _is_whole(value: JSON) -> bool:
    return type(value) is int and value >= 0


def _is_distinct(values: Sequence[Any]) -> bool:
    return len(set(values)) == len(values)
