import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.json_types import JSON
from app.engine.paths import UNDEFINED, lookup, parse_path

RECORD = {
    "id": 7,
    "knowledge-base": {"pages": [{"id": "p1"}, {"id": "p2"}]},
    "name": "Ann",
    "nothing": None,
    "0": "by name",
    "length": "own field",
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", RECORD),
        ("id", 7),
        ("nothing", None),
        ("knowledge-base.pages.0.id", "p1"),
        ("knowledge-base.pages.-1.id", "p2"),
        ("knowledge-base.pages.-2.id", "p1"),
        ("knowledge-base.pages.length", 2),
        ("name.length", 3),
        ("length", "own field"),
        ("0", "by name"),
    ],
)
def test_a_path_leads_to_what_is_there(path: str, expected: JSON) -> None:
    assert lookup(RECORD, parse_path(path)) == expected


@pytest.mark.parametrize(
    "path",
    [
        "absent",
        "id.more",
        "nothing.more",
        "name.0",
        "knowledge-base.pages.2",
        "knowledge-base.pages.-3",
        "knowledge-base.pages.-0",
        "knowledge-base.pages.01",
        "knowledge-base.pages.id",
        "knowledge-base.pages.1_0",
        "knowledge-base.pages.\N{ARABIC-INDIC DIGIT ZERO}",
        "knowledge-base.pages." + "9" * 5000,
    ],
)
def test_a_path_to_nothing_is_undefined(path: str) -> None:
    assert lookup(RECORD, parse_path(path)) is UNDEFINED


def test_undefined_is_false_and_shows_its_name() -> None:
    assert not UNDEFINED
    assert repr(UNDEFINED) == "UNDEFINED"


@given(st.lists(st.integers(), max_size=5), st.integers(-8, 8))
def test_an_index_counts_from_either_end(items: list[int], index: int) -> None:
    found = lookup({"items": items}, ("items", str(index)))

    assert found == (items[index] if -len(items) <= index < len(items) else UNDEFINED)
