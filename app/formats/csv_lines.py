"""CSV as RFC 4180 describes it: UTF-8, a line of names, lines that end in CR LF.

Null is an empty field, the empty text is ``""``: every text is in quotes, and nothing else is. A spreadsheet would
execute a text such as ``=cmd()``: it gets an apostrophe in front, unless that is turned off.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from app.engine.schemas.columns import ColumnType
from app.formats.fitting import fit_rows
from app.formats.json_lines import format_time
from app.formats.layout import FileLayout, Row

_LINE_END: Final = "\r\n"
# A sign before a number, such as that of a telephone, executes nothing.
_FORMULA: Final = re.compile("[=@\t\r\n\uff1d\uff0b\uff0d\uff20]|[+-](?!([0-9][0-9 ().,/-]*)?\\Z)")


class CsvEncoder:
    """Makes one CSV file."""

    def __init__(self, layout: FileLayout, *, keeps_formulas: bool = False) -> None:
        """``keeps_formulas``: texts are written as they are, for readers that are no spreadsheets."""
        kinds = layout.named_types
        self._layout = layout
        self._head = ",".join(_quote(name) for name, _ in kinds) + _LINE_END
        text = _quote if keeps_formulas else _quote_harmless
        self._writers = [_WRITERS.get(kind, text) for _, kind in kinds]

    def encode(self, rows: Sequence[Row]) -> bytes:
        """Return rows as lines, before the first ones the names of the columns."""
        columns = [
            ["" if value is None else write(value) for value in values]
            for write, values in zip(self._writers, fit_rows(self._layout, rows), strict=True)
        ]
        lines = "".join(",".join(fields) + _LINE_END for fields in zip(*columns, strict=True))
        head, self._head = self._head, ""
        return (head + lines).encode()

    def finish(self) -> bytes:
        """Return the names of the columns where there was no row."""
        return self.encode([])


def _quote(value: object) -> str:
    return f'"{str(value).replace(chr(34), chr(34) * 2)}"'


def _quote_harmless(value: object) -> str:
    text = str(value)
    return _quote(f"'{text}" if _FORMULA.match(text) else text)


def _write_decimal(value: object) -> str:
    assert isinstance(value, Decimal)
    return f"{value:f}" if abs(value.adjusted()) < 1000 else str(value)


def _write_time(value: object) -> str:
    assert isinstance(value, datetime)
    return format_time(value)


def _write_date(value: object) -> str:
    assert isinstance(value, date)
    return value.isoformat()


_WRITERS: Final[Mapping[ColumnType, Callable[[object], str]]] = MappingProxyType(
    {
        ColumnType.BOOLEAN: lambda value: "true" if value else "false",
        ColumnType.BIGINT: str,
        ColumnType.NUMERIC: _write_decimal,
        ColumnType.DOUBLE: repr,
        ColumnType.DATE: _write_date,
        ColumnType.TIMESTAMPTZ: _write_time,
        ColumnType.JSONB: _quote,
    }
)
