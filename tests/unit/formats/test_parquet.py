"""Parquet: groups of bounded size, numbers that are exact or null, and the extra that it needs."""

import io
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from app.engine.errors import MissingExtraError
from app.engine.schemas.columns import Column, ColumnType
from app.formats import parquet as ours
from app.formats.arrow import fit_decimal
from app.formats.formats import FileFormat, FileOptions, open_encoder
from app.formats.layout import FileLayout
from tests.support.file_rows import hold_exactly, make_rows

LAYOUT = FileLayout(columns=[Column(name="name", key="name", type=ColumnType.TEXT)])


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_number_is_held_exactly_or_not_at_all(number: Decimal) -> None:
    assert fit_decimal(number) == hold_exactly(number)


def test_groups_are_written_as_they_fill_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "_ROWS_OF_A_GROUP", 10)
    encoder = open_encoder(LAYOUT, FileOptions(format=FileFormat.PARQUET))
    pieces = [encoder.encode(make_rows([{"name": "a"}] * 4)) for _ in range(7)]
    content = b"".join([*pieces, encoder.finish()])

    file = parquet.ParquetFile(io.BytesIO(content))
    assert [file.metadata.row_group(place).num_rows for place in range(file.num_row_groups)] == [12, 12, 4]
    assert [bool(piece) for piece in pieces] == [True, False, True, False, False, True, False]
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_missing_package_is_named_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "app.formats.parquet")
    monkeypatch.delitem(sys.modules, "app.formats.arrow", raising=False)

    with pytest.raises(MissingExtraError, match=r"pip install 'ferryman\[parquet\]'"):
        open_encoder(LAYOUT, FileOptions(format=FileFormat.PARQUET))
