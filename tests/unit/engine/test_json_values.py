"""JSON values of any origin."""

import pytest

from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import is_true, make_storable
from app.engine.jsonata import expressions
from app.engine.jsonata.bulk import evaluate_each
from app.engine.paths import UNDEFINED
from app.engine.record_errors import ExpressionError
from app.engine.templating.casts import cast_whole


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


SEEN: JsonObject = {"percent": "%00", "query": "a=%00"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\0b", "a\ufffdb"),
        ({"\ud800": ["\udfff", 1, None, 1.5]}, {"\ufffd": ["\ufffd", 1, None, 1.5]}),
        ("naïve 🚢", "naïve 🚢"),
    ],
)
def test_storable_has_no_character_that_postgres_refuses(value: JSON, expected: JSON) -> None:
    assert make_storable(value) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (r"'a\u0000b'", "a\ufffdb"),
        ("'a\0b'", "a\ufffdb"),
        ("$base64decode('AGI=')", "\ufffdb"),
        ("$decodeUrlComponent(percent)", "\ufffd"),
        ("$decodeUrl('x%00')", "x\ufffd"),
        ("$parseQuery(query)", {"a": "\ufffd"}),
        ("$parseUrl('http://a.test/?a=%00').searchParams", {"a": "\ufffd"}),
        (r"$jsonParse('[\"\\u0000\"]')", ["\ufffd"]),
        (r"$eval('\"\\u00' & '00\"')", "\ufffd"),
    ],
)
def test_expression_gives_what_can_be_kept(expression: str, expected: JSON) -> None:
    compiled = expressions.parse(expression)

    assert compiled.evaluate(SEEN) == expected
    assert list(evaluate_each(compiled, [SEEN, SEEN])) == [expected, expected]


def test_words_of_an_expression_that_fails_can_be_kept() -> None:
    with pytest.raises(ExpressionError) as caught:
        expressions.parse(r"$error('a\u0000b')").evaluate({})

    assert caught.value.message == "a\ufffdb (D3137)"


def test_json_that_is_read_out_of_a_text_can_be_kept() -> None:
    assert cast_whole(r'{"a\u0000": ["\ud800", 1]}', "json") == {"a\ufffd": ["\ufffd", 1]}
