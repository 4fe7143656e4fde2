"""The options of a destination, which only its datastore's type knows."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from app.engine.destinations.file_options import FILE_OPTIONS
from app.engine.errors import Failure
from app.engine.json_types import JSON
from app.engine.objects.destinations import DatastoreType
from app.engine.schemas.names import is_name


def _check_schema(value: JSON) -> str | None:
    is_schema = isinstance(value, str) and is_name(value) and not value.startswith("pg_")
    return None if is_schema else "expected the name of a schema: lower case letters, digits and '_'"


OPTIONS: Final[Mapping[DatastoreType, Mapping[str, Callable[[JSON], str | None]]]] = MappingProxyType(
    {
        DatastoreType.POSTGRES: {"schema": _check_schema},
        DatastoreType.S3: FILE_OPTIONS,
        DatastoreType.GOOGLE_CLOUD_STORAGE: FILE_OPTIONS,
        DatastoreType.AZURE_BLOB: FILE_OPTIONS,
        DatastoreType.FILESYSTEM: FILE_OPTIONS,
        DatastoreType.DUCKDB: {},
    }
)


def check_options(kind: DatastoreType, options: Mapping[str, JSON]) -> list[Failure]:
    """Return every fault of a destination's options."""
    known = OPTIONS[kind]
    expected = ", ".join(known) or "none"
    faults = {
        name: known[name](value) if name in known else f"is no option of the type {kind}: expected {expected}"
        for name, value in options.items()
    }
    return [Failure(f"options.{name}", fault) for name, fault in faults.items() if fault]
