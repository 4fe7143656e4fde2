import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engine.limits import constants

ROOMS = ("app/engine/limits", "app/limits", "app/sources/limiter")
ROOT = Path(__file__).parents[4]
READS_FORMATS = {"headers.py"}
"""Its numbers tell one form of a time from another."""
OF_TESTS = {"AHEAD_OF_A_CURSOR"}
"""What a crash repeats of such a list is one page: by how it is read, which tests compare with this."""


def numbers_of(module: Path) -> Iterator[str]:
    for node in ast.parse(module.read_text()).body:
        value = getattr(node, "value", None)
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(value, ast.Constant | ast.BinOp):
            yield from [ast.unparse(node)] if not isinstance(getattr(value, "value", 0), str) else []


@pytest.mark.parametrize("room", ROOMS)
def test_numbers_of_rate_limiting_stand_in_one_table(room: str) -> None:
    modules = {*(ROOT / room).glob("*.py")} - {Path(constants.__file__)}

    strays = [number for one in modules if one.name not in READS_FORMATS for number in numbers_of(one)]

    assert strays == []


def test_constant_is_used_somewhere() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "app").rglob("*.py"))
    names = [name for name in vars(constants) if name.isupper()]

    unused = [name for name in names if f"constants.{name}" not in source and name not in OF_TESTS]

    assert unused == []
