"""Integers that a double can not hold reach mappings as texts; nothing else changes."""

import pytest

from app.engine.exact_integers import with_long_integers_as_texts
from app.engine.json_types import JSON


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**53, 2**53),
        (2**53 + 1, "9007199254740993"),
        (-(2**53) - 1, "-9007199254740993"),
        (10**30, "1" + "0" * 30),
        ("12345678901234567", "12345678901234567"),
        (1.2345678901234567, 1.2345678901234567),
        ([{"id": 2**60}, True, None], [{"id": "1152921504606846976"}, True, None]),
    ],
    ids=str,
)
def test_long_integers_become_texts(value: JSON, expected: JSON) -> None:
    assert with_long_integers_as_texts([{"a": {"b": value}}]) == [{"a": {"b": expected}}]


def test_records_without_long_integers_are_not_copied() -> None:
    records = [{"id": 1, "at": 1700000000000}]

    assert with_long_integers_as_texts(records) is records
