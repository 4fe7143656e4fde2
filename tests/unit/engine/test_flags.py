"""Flags as upstreams write them."""

import pytest

from app.engine.json_types import JSON
from app.engine.json_values import is_true
from app.engine.paths import UNDEFINED


@pytest.mark.parametrize("value", [None, UNDEFINED, False, 0, 0.0, -0.0])
def test_nothing_and_zero_are_false(value: JSON) -> None:
    assert not is_true(value)


@pytest.mark.parametrize(
    "word", ["", " ", "0", "no", "No", "NO", "false", "False", "FALSE", "off", "OFF", "n", "f", "F"]
)
@pytest.mark.parametrize("written", ["{}", " {} ", "\t{}\n", "\u00a0{}"])
def test_words_for_false_are_false_in_any_case_and_with_space_around(word: str, written: str) -> None:
    assert not is_true(written.format(word))


@pytest.mark.parametrize(
    "value", [True, 1, -1, 0.5, "1", "true", "True", "yes", "on", "y", "t", "00", "none", "null", [], {}, ["no"]]
)
def test_everything_else_is_true(value: JSON) -> None:
    assert is_true(value)
