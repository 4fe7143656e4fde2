"""Merge files of Parquet into one: of each record the state with the highest sequence, or every state once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from pyarrow import parquet

from app.formats.parquet import WRITING, read_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedFile:
    """A file that was made of others."""

    content: bytes = field(repr=False)
    rows: int
    columns: Sequence[str]


def merge_files(files: Sequence[bytes], *, by_key: bool, drops_deleted: bool) -> MergedFile:
    """Merge files in the order of the log; ``by_key`` keeps one state of each record, ``drops_deleted`` no deleted one.

    A column that some of them lack is null there. One file at a time is held as a table.
    """
    schema = _join_schemas(files)
    kept = _choose_rows(files, by_key=by_key)
    sink = pa.BufferOutputStream()
    rows = 0
    with parquet.ParquetWriter(sink, schema, **WRITING) as writer:
        for place, content in enumerate(files):
            for table in _read_groups(content):
                chosen = table.table.filter(pa.array([(place, row) in kept for row in table.numbers]))
                if drops_deleted and by_key:
                    chosen = chosen.filter(chosen["deleted_at"].is_null())
                rows += chosen.num_rows
                writer.write_table(_complete(chosen, schema))
    return MergedFile(content=sink.getvalue().to_pybytes(), rows=rows, columns=schema.names)


@dataclass(frozen=True, slots=True)
class _Group:
    table: pa.Table
    numbers: range


def _read_groups(content: bytes) -> Iterator[_Group]:
    file = parquet.ParquetFile(pa.BufferReader(content))
    start = 0
    for number in range(file.num_row_groups):
        table = file.read_row_group(number)
        yield _Group(table, range(start, start + table.num_rows))
        start += table.num_rows


def _join_schemas(files: Sequence[bytes]) -> pa.Schema:
    """Return all columns, in the order that the newest file has them: they are only ever added."""
    schemas = [parquet.read_schema(pa.BufferReader(content)) for content in reversed(files)]
    return pa.unify_schemas(schemas)


def _choose_rows(files: Sequence[bytes], *, by_key: bool) -> set[tuple[int, int]]:
    """Return which rows are kept, each as the place of its file and its number there."""
    chosen: dict[object, tuple[int, tuple[int, int]]] = {}
    for place, content in enumerate(files):
        for row, (remote_id, sequence) in enumerate(read_columns(content, ("remote_id", "sequence"))):
            key = remote_id if by_key else (remote_id, sequence)
            known = chosen.get(key)
            # Of two with the same sequence the later one: it was written anew.
            if known is None or known[0] <= sequence:
                chosen[key] = (sequence, (place, row))
    return {where for _, where in chosen.values()}


def _complete(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        table[field.name] if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
