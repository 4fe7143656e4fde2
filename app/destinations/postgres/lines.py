"""Records as the lines that COPY reads."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from psycopg import sql

from app.destinations.postgres.tables import Connection
from app.engine.json_types import JSON
from app.engine.records.rows import encode
from app.engine.schemas.columns import Column, ColumnType
from app.engine.schemas.values import fit
from app.services.destinations.ports import LoggedRecord

_NULL: Final = "\\N"
_LEAST, _MOST = -(2**63), 2**63 - 1
_COPY_CHARACTERS: Final = 256 * 1024


def copy_lines(connection: Connection, incoming: sql.Identifier, lines: Iterable[str]) -> int:
    """Copy lines into a table; return how many characters they have."""
    size, waiting, length = 0, [], 0
    with connection.cursor().copy(sql.SQL("copy {} from stdin").format(incoming)) as copy:
        for line in lines:
            waiting.append(line)
            length += len(line)
            if length >= _COPY_CHARACTERS:
                copy.write("".join(waiting))
                size, waiting, length = size + length, [], 0
        copy.write("".join(waiting))
    return size + length


def build_lines(records: Sequence[LoggedRecord], columns: Sequence[Column]) -> Iterable[str]:
    """Yield a line for each record: its key, numbers and times, then a value for each column."""
    writers = [(column.key, _build_value_writer(column)) for column in columns]
    nothing: dict[str, JSON] = {}
    for record in records:
        data = record.data if isinstance(record.data, dict) else nothing
        get = data.get
        head = f"{escape(record.remote_id)}\t{record.sequence}\t{record.synced_at.isoformat()}\t"
        deleted_at = _NULL if record.deleted_at is None else record.deleted_at.isoformat()
        is_absent = "t" if record.is_absent else "f"
        values = [_NULL if (value := get(key)) is None else write(value) for key, write in writers]
        yield "\t".join([f"{head}{deleted_at}\t{is_absent}", *values]) + "\n"


def escape(text: str) -> str:
    """Return a text as COPY reads it."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _build_value_writer(column: Column) -> Callable[[JSON], str]:
    """Return what writes a value that is not null. The usual type of a column takes the short way around ``fit``."""
    others = _build_fitting_writer(column)
    match column.type:
        case ColumnType.TEXT:
            return lambda value: escape(value) if type(value) is str else others(value)
        case ColumnType.BIGINT:
            return lambda value: str(value) if type(value) is int and _LEAST <= value <= _MOST else others(value)
        case ColumnType.BOOLEAN:
            return lambda value: "t" if value is True else "f" if value is False else others(value)
        case ColumnType.JSONB:
            return _write_json
        case _:
            return others


def _build_fitting_writer(column: Column) -> Callable[[JSON], str]:
    def write(value: JSON) -> str:
        fitted = fit(value, column)
        if fitted is None:
            return _NULL
        if isinstance(fitted, bool):
            return "t" if fitted else "f"
        return escape(str(fitted))

    return write


def _write_json(value: JSON) -> str:
    # JSON has no bare tabs or line breaks.
    return encode(value).decode().replace("\\", "\\\\")
