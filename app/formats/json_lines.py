"""JSON lines: an object per record, in UTF-8, with all columns of its resource."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import orjson

from app.engine.schemas.columns import ColumnType
from app.formats.fitting import fit_rows
from app.formats.layout import FileLayout, Row

_OPTIONS: Final = orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_DATETIME


class JsonLinesEncoder:
    """Makes one file of JSON lines; numbers keep all their digits, and times are in UTC."""

    def __init__(self, layout: FileLayout) -> None:
        self._layout = layout
        self._names = [name for name, _ in layout.named_types]
        self._is_json = [kind is ColumnType.JSONB for _, kind in layout.named_types]

    def encode(self, rows: Sequence[Row]) -> bytes:
        """Return rows as lines."""
        columns = [
            [_embed(value) for value in values] if is_json else values
            for values, is_json in zip(fit_rows(self._layout, rows), self._is_json, strict=True)
        ]
        names = self._names
        return b"".join(
            orjson.dumps(dict(zip(names, values, strict=True)), _write, _OPTIONS)
            for values in zip(*columns, strict=True)
        )

    def finish(self) -> bytes:
        """Return nothing: each line is complete."""
        return b""


def _embed(text: object | None) -> object | None:
    return None if text is None else orjson.Fragment(str(text))


def _write(value: object) -> object:
    """Return what orjson writes of a value that JSON has no type for; a number's digits are kept."""
    match value:
        case Decimal():
            return orjson.Fragment(str(value))
        case datetime():
            return format_time(value)
        case _:
            return str(value)


def format_time(time: datetime) -> str:
    """Return a time in UTC as text, always of the same length."""
    return f"{time.isoformat(timespec='microseconds')[:26]}Z"
