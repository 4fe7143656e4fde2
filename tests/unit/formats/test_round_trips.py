"""What is written to a file is read back by others as it is, or is null there and stays in the record's JSON."""

import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from pyarrow import csv, parquet

from app.engine.schemas.columns import Column, ColumnType
from app.formats.arrow import build_schema
from app.formats.formats import Compression, FileFormat, FileOptions
from app.formats.layout import FileLayout
from tests.support.file_rows import COLUMNS, LAYOUT, RECORDS, TIME, fit_records, hold_exactly, make_rows, write_file

PARQUET = FileOptions(format=FileFormat.PARQUET)
JSONL = FileOptions(format=FileFormat.JSONL)
CSV = FileOptions(format=FileFormat.CSV, keeps_formulas=True)


def with_json_read(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Read the columns of jsonb, which files have as text."""
    return [{column.name: read(row[column.name], column.type) for column in COLUMNS} for row in rows]


def read(value: Any, kind: ColumnType) -> Any:
    return json.loads(value) if kind is ColumnType.JSONB and value is not None else value


def held(records: Sequence[Any]) -> list[dict[str, Any]]:
    return [{name: hold_exactly(value) for name, value in row.items()} for row in fit_records(records)]


@given(RECORDS)
@settings(max_examples=60, deadline=None)
def test_pyarrow_reads_parquet_as_it_was_written(records: list[Any]) -> None:
    table = parquet.read_table(io.BytesIO(write_file(LAYOUT, make_rows(records), PARQUET)))

    assert with_json_read(table.to_pylist()) == held(records)
    assert [json.loads(text) for text in table["data"].to_pylist()] == records
    assert table["sequence"].to_pylist() == [*range(1, len(records) + 1)]
    assert table["deleted_at"].to_pylist() == [None if place % 2 else TIME for place in range(len(records))]


@given(RECORDS)
@settings(max_examples=15, deadline=None)
def test_duckdb_reads_parquet_as_it_was_written(records: list[Any]) -> None:
    with duckdb.connect() as connection:
        connection.sql("set TimeZone = 'UTC'")
        file = parquet.read_table(io.BytesIO(write_file(LAYOUT, make_rows(records), PARQUET)))
        connection.register("file", file)
        found = connection.sql("select * from file").to_arrow_table().to_pylist()

    assert with_json_read(found) == held(records)


def test_duckdb_reads_a_file_of_parquet_with_its_types(tmp_path: Path) -> None:
    file = tmp_path / "file.parquet"
    file.write_bytes(
        write_file(LAYOUT, make_rows([{"NUMERIC": 2**64, "TIMESTAMPTZ": "2026-11-30T12:00+02:00"}]), PARQUET)
    )

    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        (found,) = connection.execute(f"select numeric, epoch_us(timestamptz) from '{file}'").fetchall()
        kinds = dict(
            connection.execute(f"select column_name, column_type from (describe select * from '{file}')").fetchall()
        )

    assert found == (Decimal(2**64), int(datetime(2026, 11, 30, 10, tzinfo=UTC).timestamp() * 1_000_000))
    assert kinds["boolean"] == "BOOLEAN"
    assert kinds["bigint"] == "BIGINT"
    assert kinds["numeric"] == "DECIMAL(38,9)"
    assert kinds["double"] == "DOUBLE"
    assert kinds["date"] == "DATE"
    assert kinds["timestamptz"] == "TIMESTAMP WITH TIME ZONE"
    assert kinds["jsonb"] == "VARCHAR"


@given(RECORDS)
@settings(max_examples=40, deadline=None)
def test_json_lines_hold_each_value_exactly(records: list[Any]) -> None:
    lines = write_file(LAYOUT, make_rows(records), JSONL).splitlines()

    found = [json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in lines]
    assert [{column.name: shown(row[column.name]) for column in COLUMNS} for row in found] == [
        {name: shown(value) for name, value in row.items()} for row in fit_records(records)
    ]
    assert [json.loads(line)["data"] for line in lines] == records


def shown(value: Any) -> Any:
    """Make values comparable that JSON has one form for: numbers, and times as text."""
    match value:
        case bool() | None:
            return value
        case int() | float():
            return Decimal(repr(value))
        case datetime():
            return f"{value.isoformat(timespec='microseconds')[:26]}Z"
        case dict():
            return {key: shown(inner) for key, inner in value.items()}
        case list():
            return [shown(inner) for inner in value]
        case str() | Decimal():
            return value
        case _:
            return value.isoformat()


@given(RECORDS)
@settings(max_examples=40, deadline=None)
def test_pyarrow_reads_csv_as_it_was_written(records: list[Any]) -> None:
    content = write_file(LAYOUT, make_rows(records), CSV)

    table = csv.read_csv(
        io.BytesIO(content),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types={field.name: readable(field.type) for field in build_schema(LAYOUT)},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    found = with_json_read(table.to_pylist())
    assert [{**row, "numeric": None, "numeric_declared": None} for row in found] == [
        {**row, "numeric": None, "numeric_declared": None} for row in fit_records(records)
    ]


def readable(kind: pa.DataType) -> pa.DataType:
    """Read numbers of any size as text: CSV holds them whole."""
    return pa.string() if pa.types.is_decimal(kind) else kind


def test_duckdb_tells_null_from_the_empty_text_in_csv(tmp_path: Path) -> None:
    column = Column(name="name", key="name", type=ColumnType.TEXT)
    file = tmp_path / "file.csv"
    rows = make_rows([{"name": ""}, {"name": None}, {"name": 'a\r\n"b",'}])
    file.write_bytes(write_file(FileLayout(columns=[column]), rows, CSV))

    with duckdb.connect() as connection:
        options = "header = true, nullstr = '', allow_quoted_nulls = false, strict_mode = true"
        found = connection.execute(f"select name from read_csv('{file}', {options})").fetchall()

    assert found == [("",), (None,), ('a\r\n"b",',)]


@pytest.mark.parametrize("options", [PARQUET, JSONL, CSV, FileOptions(format=FileFormat.CSV)], ids=str)
def test_a_file_without_rows_has_its_columns(options: FileOptions) -> None:
    content = write_file(LAYOUT, [], options)

    if options.format is FileFormat.PARQUET:
        assert parquet.read_schema(io.BytesIO(content)).names == [name for name, _ in LAYOUT.named_types]
    elif options.format is FileFormat.CSV:
        assert content.decode().split(",")[:2] == ['"account_id"', '"tenant_id"']
    else:
        assert content == b""


@pytest.mark.parametrize("compression", [Compression.GZIP, Compression.ZSTD])
def test_compressed_lines_hold_the_same_and_come_out_the_same_twice(compression: Compression, tmp_path: Path) -> None:
    options = FileOptions(format=FileFormat.JSONL, compression=compression)
    rows = make_rows([{"TEXT": "é" * 1000}] * 100)
    file = tmp_path / f"file{options.extension}"
    file.write_bytes(write_file(LAYOUT, rows, options))

    with duckdb.connect() as connection:
        (found,) = connection.execute(f"select count(*), min(text), max(text) from '{file}'").fetchall()

    assert found == (100, "é" * 1000, "é" * 1000)
    assert file.read_bytes() == write_file(LAYOUT, rows, options)


@pytest.mark.parametrize("options", [PARQUET, JSONL, CSV], ids=str)
def test_the_same_rows_make_the_same_bytes(options: FileOptions) -> None:
    rows = make_rows([{"TEXT": "a", "BIGINT": 1, "JSONB": {"b": [1]}}] * 10)

    assert write_file(LAYOUT, rows, options) == write_file(LAYOUT, rows, options)
