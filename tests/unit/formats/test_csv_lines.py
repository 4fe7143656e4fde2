"""CSV: what a spreadsheet would execute, and what is a text."""

import pytest

from app.engine.schemas.columns import Column, ColumnType
from app.formats.formats import FileFormat, FileOptions
from app.formats.layout import DATA_COLUMN, FileLayout
from tests.support.file_rows import make_rows, write_file

NAME = Column(name="name", key="name", type=ColumnType.TEXT)


def written(text: str, *, keeps_formulas: bool = False) -> str:
    """Return the field of a text."""
    options = FileOptions(format=FileFormat.CSV, keeps_formulas=keeps_formulas)
    content = write_file(FileLayout(columns=[NAME]), make_rows([{"name": text}]), options).decode()
    return content.partition("\r\n")[2].removesuffix("\r\n").rpartition(",")[2]


@pytest.mark.parametrize("text", ["=1+1", "@sum(1)", "+1+cmd|' /c calc'!A0", "-cmd", "\t=1", "\r=1", "\uff1d1"])
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert written(text) == f'"\'{text}"'


@pytest.mark.parametrize("text", ["=1+1", "-cmd"])
def test_a_formula_stays_where_it_is_asked_for(text: str) -> None:
    assert written(text, keeps_formulas=True) == f'"{text}"'


@pytest.mark.parametrize("text", ["", "-", "-1.50", "+49 170 (0) 12-34", "a=1", "'=1", "1+1"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert written(text) == f'"{text}"'


def test_a_column_named_as_that_of_the_record_gives_way_to_it() -> None:
    own = Column(name=DATA_COLUMN, key="data", type=ColumnType.TEXT)

    with_data = FileLayout(columns=[own, NAME], with_data=True)
    without = FileLayout(columns=[own, NAME])

    assert [name for name, _ in with_data.named_types][-2:] == ["name", DATA_COLUMN]
    assert [name for name, _ in without.named_types][-2:] == [DATA_COLUMN, "name"]
