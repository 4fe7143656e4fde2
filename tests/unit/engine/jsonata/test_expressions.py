"""Expressions end within their limits, whatever they are, and tell nothing from null."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.engine.errors import ExpressionSyntaxError
from app.engine.json_types import JSON
from app.engine.jsonata import expressions
from app.engine.paths import UNDEFINED
from app.engine.record_errors import ExpressionError

# Each of them stops, or kills, an engine without limits: time, stack (also the one that frees values), memory, panics.
_HOSTILE = {
    "endless loop": "( $f := function() { $f() }; $f() )",
    "deep recursion": "( $f := function($n) { 1 + $f($n + 1) }; $f(1) )",
    "recursion by $eval": '( $s := "$eval($s)"; $eval($s) )',
    "doubled string": '( $f := function($s) { $f($s & $s) }; $f("xxxx") )',
    "padded string": '$pad("x", 1000000000)',
    "doubled array": "( $f := function($s) { $f($append($s, $s)) }; $f([1, 2]) )",
    "array of arrays": "[1..100000].([1..100000])",
    "chain of objects": '( $f := function($s) { $f({"a": $s, "b": $s}) }; $f(1) )',
    "chain of closures": "( $f := function($s) { $f(function() { $s }) }; $f(1) )",
    "chain of partials": "( $f := function($s) { $f($append(?, $s)) }; $f(1) )",
    "chain of compositions": "( $f := function($s) { $f($s ~> $string) }; $f($string) )",
    "exponential result": '$reduce([1..60], function($a, $b) { {"a": $a, "b": $a} })',
    "backtracking regex": '$match($pad("", 50, "a") & "!", /^(a+)+$/)',
    "panic in a picture": '$formatNumber(1, "0.' + "0" * 70_000 + '")',
}
_CHILD = """
import json, sys, time
from app.engine.jsonata import expressions
from app.engine.record_errors import ExpressionError
for name, text in json.load(sys.stdin).items():
    started = time.monotonic()
    try:
        expressions.parse(text).evaluate({})
        outcome = "ended"
    except ExpressionError:
        outcome = "refused"
    print(json.dumps([name, outcome, time.monotonic() - started]), flush=True)
"""


def test_hostile_expressions_end_in_an_error_in_time_and_leave_the_process_alive() -> None:
    child = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input=json.dumps(_HOSTILE),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    ends = [json.loads(line) for line in child.stdout.splitlines()]
    assert (child.returncode, [(name, outcome) for name, outcome, _ in ends]) == (
        0,
        [(name, "refused") for name in _HOSTILE],
    )
    assert max(seconds for _, _, seconds in ends) < 15


@pytest.mark.parametrize("nested", ["(", "[", '{"a":', "-", "1?", "function(){", "a[", "1+"])
def test_a_deeply_nested_text_is_refused(nested: str) -> None:
    with pytest.raises(ExpressionSyntaxError):
        expressions.parse(nested * 5000)


def test_a_long_text_is_refused() -> None:
    with pytest.raises(ExpressionSyntaxError, match="at most 100000 characters"):
        expressions.parse('"' + "x" * 100_000 + '"')


@pytest.mark.parametrize(("text", "position"), [('{"a":', 5), ("1 +* 2", 6), ('"abc', 4), ("a.`b", 4), ("é & ( ", 6)])
def test_a_fault_of_syntax_tells_its_position(text: str, position: int) -> None:
    with pytest.raises(ExpressionSyntaxError) as raised:
        expressions.parse(text)

    assert raised.value.position == position
    assert str(raised.value).endswith(f"(at character {position})")


@pytest.mark.parametrize(
    ("text", "data", "result"),
    [
        ("a", {"a": None}, None),
        ("a", {}, UNDEFINED),
        ("$", None, None),
        ("$", UNDEFINED, UNDEFINED),
        ("$exists($)", None, True),
        ("null", {}, None),
        ('{"a": b}', {}, {}),
        ("a[]", {"a": 1}, [1]),
        ("$x + a", {"a": 1}, 3),
    ],
    ids=str,
)
def test_nothing_is_told_from_null(text: str, data: JSON, result: JSON) -> None:
    assert expressions.parse(text).evaluate(data, {"x": 2}) == result


def test_an_error_tells_reason_and_position() -> None:
    with pytest.raises(ExpressionError) as raised:
        expressions.parse("$uppercase(a)").evaluate({"a": 1})

    assert (raised.value.code, raised.value.reason, raised.value.position) == ("expression", "T0410", 11)


def test_what_is_not_json_is_an_expression_error() -> None:
    with pytest.raises(ExpressionError):
        expressions.parse("a").evaluate({"a": object()})


def test_much_work_is_done_by_the_second_attempt() -> None:
    records = [{"n": n} for n in range(20_000)]

    result = expressions.parse('$map($, function($r) { {"n": $r.n, "m": $r.n + 1, "t": $string($r.n)} })').evaluate(
        records
    )

    assert (len(result), result[-1]) == (20_000, {"n": 19_999, "m": 20_000, "t": "19999"})


def test_many_threads_evaluate_one_expression() -> None:
    expression = expressions.parse("$sum([1..a].($distinct([$, $])))")

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: expression.evaluate({"a": n}), range(1, 200)))

    assert results == [n * (n + 1) // 2 for n in range(1, 200)]


def test_a_panic_of_the_engine_is_an_expression_error() -> None:
    text = f'$formatNumber(1, "0.{"0" * 70_000}")'

    with pytest.raises(ExpressionError, match="the engine gave up"):
        expressions.parse(text).evaluate({})


def test_an_interrupt_is_none() -> None:
    def interrupt() -> JSON:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        expressions.parse("$now_is_the_time()").evaluate({}, {"now_is_the_time": interrupt})


def test_long_evaluations_side_by_side_leave_the_stacks_of_other_threads_as_they_were() -> None:
    before = threading.stack_size()
    expression = expressions.parse("$count($map([1..20000], function($n) { $n + n }))")

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda n: expression.evaluate({"n": n}), range(8)))

    assert (counts, threading.stack_size()) == ([20_000] * 8, before)
