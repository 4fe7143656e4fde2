import pytest

from app.engine.config import paths
from app.engine.config.paths import MarkedPath
from app.engine.json_types import JSON


@pytest.mark.parametrize(
    ("written", "keys", "optional"),
    [
        ("next", ["next"], []),
        ("meta.next", ["meta", "next"], []),
        ("data.-1.id", ["data", "-1", "id"], []),
        ("@odata.nextLink", ["@odata.nextLink"], []),
        ("value.@odata.nextLink", ["value", "@odata.nextLink"], []),
        ("answer.@id", ["answer", "@id"], []),
        ("@odata.nextLink?", ["@odata.nextLink"], [0]),
        ("meta.`odata.next`", ["meta", "odata.next"], []),
        ('"a.b".c', ["a.b", "c"], []),
        ("`a.b`?.c?", ["a.b", "c"], [0, 1]),
        ("paging?.next?.after", ["paging", "next", "after"], [0, 1]),
        (["a.b", "c"], ["a.b", "c"], []),
        ("with space.x", ["with space", "x"], []),
    ],
    ids=str,
)
def test_a_path_is_read(written: JSON, keys: list[str], optional: list[int]) -> None:
    assert paths.parse(written) == MarkedPath(tuple(keys), frozenset(optional))


@pytest.mark.parametrize("written", ["a..b", ".a", "a.", "`a", "a`b`", "??", "a?b", [], [1], ["a", ""], 1, {}], ids=str)
def test_what_is_no_path_is_refused(written: JSON) -> None:
    assert paths.parse(written) is None


@pytest.mark.parametrize(
    ("document", "missing"),
    [
        ({"a": {"b": 1}}, None),
        ({"a": {"b": None}}, None),
        ({"a": None}, None),
        ({"a": {}}, 1),
        ({}, 0),
        ([], 0),
        ("text", 0),
    ],
    ids=str,
)
def test_the_first_missing_key_is_found(document: JSON, missing: int | None) -> None:
    assert MarkedPath(("a", "b")).find_missing(document) == missing


@pytest.mark.parametrize("written", ["a.b", "`a.b`.c", "@odata.nextLink", "a.@b.c"])
def test_a_path_is_shown_as_it_may_be_written(written: str) -> None:
    found = paths.parse(written)

    assert str(found) == written
