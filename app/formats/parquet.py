"""Parquet by pyarrow: zstd, and row groups of a bounded size."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet

from app.formats.arrow import build_schema, build_table
from app.formats.layout import FileLayout, Row

WRITING: Final[Mapping[str, Any]] = MappingProxyType({"compression": "zstd", "compression_level": 3, "version": "2.6"})
"""How Parquet is written."""
_ROWS_OF_A_GROUP: Final = 100_000
_BYTES_OF_A_GROUP: Final = 32 * 1024 * 1024
"""In memory, before they are compressed."""


class ParquetEncoder:
    """Makes one Parquet file; it holds one row group in memory."""

    def __init__(self, layout: FileLayout) -> None:
        self._layout = layout
        self._schema = build_schema(layout)
        self._sink = _Sink()
        self._writer = parquet.ParquetWriter(pa.PythonFile(self._sink, mode="w"), self._schema, **WRITING)
        self._group: list[pa.Table] = []
        self._rows = 0
        self._bytes = 0

    def encode(self, rows: Sequence[Row]) -> bytes:
        """Add rows; return the row groups that are complete."""
        table = build_table(self._layout, self._schema, rows)
        self._group.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._rows >= _ROWS_OF_A_GROUP or self._bytes >= _BYTES_OF_A_GROUP:
            self._write_group()
        return self._sink.take()

    def finish(self) -> bytes:
        """Return the last row group, and the footer that names all of them."""
        self._write_group()
        self._writer.close()
        return self._sink.take()

    def _write_group(self) -> None:
        if self._rows:
            self._writer.write_table(pa.concat_tables(self._group), row_group_size=self._rows)
        self._group, self._rows, self._bytes = [], 0, 0


def read_columns(content: bytes, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield the values of some columns, row by row."""
    file = parquet.ParquetFile(pa.BufferReader(content))
    for batch in file.iter_batches(columns=list(names)):
        yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)


class _Sink:
    """A file that only grows, whose bytes are taken as they come."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing: what is written is still to be taken."""

    def take(self) -> bytes:
        taken, self._pieces = b"".join(self._pieces), []
        return taken
