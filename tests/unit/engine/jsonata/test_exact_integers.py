"""Integers that a double can not hold reach mappings as texts; nothing else changes."""

import pytest

from app.engine.json_types import JSON
from app.engine.jsonata import exact_integers
from app.engine.jsonata.exact_integers import write_long_integers_as_texts


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
    assert write_long_integers_as_texts([{"a": {"b": value}}]) == [{"a": {"b": expected}}]


def test_records_without_long_integers_are_not_copied() -> None:
    records = [{"id": 1, "at": 1700000000000}]

    assert write_long_integers_as_texts(records) is records


@pytest.mark.parametrize(
    ("body", "are_ruled_out"),
    [
        (b'{"id": 123456789012345}', True),
        (b'{"id": 9007199254740993}', False),
        ('{"id": 9007199254740993}'.encode("utf-16"), False),
        ('{"id": 1}'.encode("utf-16"), False),
        (b"", True),
    ],
    ids=["fifteen digits", "sixteen digits", "sixteen digits in UTF-16", "UTF-16", "nothing"],
)
def test_long_integers_are_ruled_out_by_a_look_at_the_body(body: bytes, are_ruled_out: bool) -> None:
    assert exact_integers.has_no_long_integers(body) is are_ruled_out
