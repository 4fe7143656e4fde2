"""Queries of any content become the objects and arrays that they spell."""

import pytest

from app.api.parsing.free_queries import parse_nested
from app.engine.errors import InvalidInputError
from app.engine.json_types import JsonObject


@pytest.mark.parametrize(
    ("pairs", "query"),
    [
        ([("a", "1"), ("b", "")], {"a": "1", "b": ""}),
        ([("a", "1"), ("a", "2"), ("a", "3")], {"a": ["1", "2", "3"]}),
        ([("a[]", "1"), ("a[]", "2")], {"a": ["1", "2"]}),
        ([("a[0]", "1"), ("a[1]", "2")], {"a": ["1", "2"]}),
        ([("a[b]", "1"), ("a[c][d]", "2")], {"a": {"b": "1", "c": {"d": "2"}}}),
        ([("a[][b]", "1")], {"a": [{"b": "1"}]}),
        ([("updated_at[gt]", "2024"), ("id[in]", "1,2")], {"updated_at": {"gt": "2024"}, "id": {"in": "1,2"}}),
        ([("a[b", "1"), ("a]", "2"), ("[a]", "3")], {"a[b": "1", "a]": "2", "[a]": "3"}),
    ],
)
def test_a_query_becomes_what_it_spells(pairs: list[tuple[str, str]], query: JsonObject) -> None:
    assert parse_nested(pairs) == query


@pytest.mark.parametrize(
    "pairs",
    [
        [("a", "1"), ("a[b]", "2")],
        [("a[b]", "1"), ("a", "2")],
        [("a" + "[b]" * 9, "1")],
        [("a", "\0")],
        [("a\0", "1")],
    ],
)
def test_what_contradicts_itself_is_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidInputError):
        parse_nested(pairs)
