import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.json_types import JSON
from app.engine.json_values import make_storable
from app.engine.paths import UNDEFINED
from app.engine.templating.casts import CASTS, cast_whole, cast_within_text, write_text

OBJECT = {"k": 1}
MANY_DIGITS = "9" * 5000
DEEP_JSON = "[" * 100_000
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)


@pytest.mark.parametrize(
    ("cast", "value", "expected"),
    [
        ("str", "text", "text"),
        ("str", 1, "1"),
        ("str", True, "true"),
        ("str", [1, 2], "1,2"),
        ("str", None, None),
        ("str", [1, None, [None, 2]], "1,null,null,2"),
        ("str", "  text\u00a0", "  text\u00a0"),
        ("any", "  text\u00a0", "text"),
        ("undefined", "\ufeff text\n", "text"),
        ("int", " px12 ", "px12"),
        ("num", " kg ", "kg"),
        ("bool", " true ", True),
        ("null", " null ", None),
        ("json", " {bad ", "{bad"),
        ("int", "12px", 12),
        ("int", "1.1", 1),
        ("int", "  -7 ", -7),
        ("int", "+7", 7),
        ("int", "0x1F", 31),
        ("int", "-0x1f", -31),
        ("int", "007", 7),
        ("int", "12345678901234567890", 12345678901234567890),
        ("int", 1.9, 1),
        ("int", -1.9, -1),
        ("int", 5, 5),
        ("int", "px12", "px12"),
        ("int", "", ""),
        ("int", "١٢", "١٢"),
        ("int", MANY_DIGITS, MANY_DIGITS),
        ("int", True, True),
        ("int", None, None),
        ("int", [12], [12]),
        ("int", OBJECT, OBJECT),
        ("num", "1e3", 1000),
        ("num", "1.5kg", 1.5),
        ("num", ".5", 0.5),
        ("num", "5.", 5),
        ("num", "-2.50", -2.5),
        ("num", "1e", 1),
        ("num", "1.0", 1),
        ("num", "9007199254740993", 9007199254740993),
        ("num", "1e300", 1e300),
        ("num", "1e999", "1e999"),
        ("num", "kg", "kg"),
        ("num", "", ""),
        ("num", MANY_DIGITS, MANY_DIGITS),
        ("num", 1.5, 1.5),
        ("num", None, None),
        ("bool", "true", True),
        ("bool", "false", False),
        ("bool", True, True),
        ("bool", "True", "True"),
        ("bool", "1", "1"),
        ("bool", 1, 1),
        ("bool", None, None),
        ("json", '{"k": [1, null]}', {"k": [1, None]}),
        ("json", "5", 5),
        ("json", OBJECT, OBJECT),
        ("json", [1], [1]),
        ("json", "{bad", "{bad"),
        ("json", "NaN", "NaN"),
        ("json", "[1e999]", "[1e999]"),
        ("json", DEEP_JSON, DEEP_JSON),
        ("json", None, None),
        ("any", OBJECT, OBJECT),
        ("any", "1", "1"),
        ("null", "null", None),
        ("null", "text", "text"),
        ("null", 5, 5),
        ("undefined", "text", "text"),
        ("undefined", [1], [1]),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_cast_reads_a_whole_value(cast: str, value: JSON, expected: JSON) -> None:
    result = cast_whole(value, cast)

    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (None, "null"),
        (UNDEFINED, ""),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (2**70, "1180591620717411303424"),
        (1.0, "1"),
        (-0.0, "0"),
        (1.5, "1.5"),
        (0.1, "0.1"),
        (1e16, "10000000000000000"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (0.00001, "0.00001"),
        (-0.000001, "-0.000001"),
        (1e-7, "1e-7"),
        (1.25e-10, "1.25e-10"),
        ([], ""),
        ([1, None, "a", True, 2.0], "1,,a,true,2"),
        ([[1, 2], [3]], "1,2,3"),
    ],
)
def test_text_is_written_as_javascript_would(value: JSON, expected: str) -> None:
    assert write_text(value) == expected


@pytest.mark.parametrize("value", [{}, OBJECT, [1, OBJECT]], ids=repr)
def test_an_object_has_no_text(value: JSON) -> None:
    with pytest.raises(ValueError, match="an object has no text"):
        cast_whole(value, "str")


@pytest.mark.parametrize(
    ("cast", "value", "expected"),
    [
        ("str", None, "null"),
        ("int", "12px", "12"),
        ("num", "1.50", "1.5"),
        ("bool", "true", "true"),
        ("json", '{"k": 1}', '{"k": 1}'),
        ("json", "1.0", "1.0"),
        ("json", [1, 2], "1,2"),
        ("null", "null", "null"),
        ("any", [1, 2], "1,2"),
        ("any", [1, None, 2], "1,,2"),
        ("str", [1, None, 2], "1,null,2"),
    ],
)
def test_a_cast_within_text_gives_text(cast: str, value: JSON, expected: str) -> None:
    assert cast_within_text(value, cast) == expected


@given(VALUES, st.sampled_from(sorted(CASTS)))
def test_a_cast_gives_json_or_says_that_an_object_has_no_text(value: JSON, cast: str) -> None:
    try:
        result = cast_whole(value, cast)
    except ValueError as error:
        assert "an object has no text" in str(error)
        return

    json.dumps(result, allow_nan=False)


@given(VALUES)
def test_json_reads_back_what_was_written(value: JSON) -> None:
    assert cast_whole(json.dumps(value), "json") == make_storable(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_reads_back_as_that_number(number: float) -> None:
    assert cast_whole(write_text(number), "num") == number
