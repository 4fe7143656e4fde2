"""Many inputs at once give what each gives alone, errors too."""

import pytest

from app.engine.json_types import JSON
from app.engine.jsonata import expressions
from app.engine.jsonata.bulk import evaluate_each
from app.engine.paths import UNDEFINED
from app.engine.record_errors import ExpressionError

INPUTS = [{"a": n, "b": [n, n], "c": {"d": None}} for n in range(120)]


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "b",
        "b[0]",
        "[a]",
        "[]",
        "missing",
        "c.d",
        '{"x": a, "y": missing}',
        "a > 60 ? a",
        "$uppercase(a > 60 ? a : 'low')",
        "$$.a",
        "b.{'v': $, 'p': %.a}",
        "a /* comment */",
        "b[]",
        "($x := a; $x + 1)",
        "function($v){$v}",
        "$error('no')",
    ],
)
def test_bulk_gives_what_each_input_gives_alone(text: str) -> None:
    expression = expressions.parse(text)

    assert [_shown(found) for found in evaluate_each(expression, INPUTS)] == [
        _shown(_alone(expression, one)) for one in INPUTS
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 51])
def test_any_number_of_inputs_is_taken(count: int) -> None:
    found = list(evaluate_each(expressions.parse("a"), INPUTS[:count]))

    assert found == [one["a"] for one in INPUTS[:count]]


def _alone(expression: expressions.Expression, one: JSON) -> JSON:
    try:
        return expression.evaluate(one)
    except ExpressionError as error:
        return error


def _shown(found: JSON) -> JSON:
    if isinstance(found, ExpressionError):
        return ("error", found.reason)
    return "nothing" if found is UNDEFINED else found


def test_an_expression_that_is_too_deep_for_the_bulk_is_evaluated_alone() -> None:
    text = "[" * 996 + "a" + "]" * 996

    found = list(evaluate_each(expressions.parse(text), INPUTS[:2]))

    assert [isinstance(one, ExpressionError) for one in found] == [True, True]
