"""Every function of mappings at its bound and beyond: the engine's limit of time does not reach into them."""

import functools
import gc
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.engine.json_types import JSON
from app.engine.jsonata import expressions
from app.engine.jsonata.functions.bounds import BOUNDS, FUNCTIONS
from app.engine.record_errors import ExpressionError

AT_MOST_SECONDS = 2.0
WORDS = [f"{place:x}"[-3:] for place in range(4096)]


def texts(size: int) -> list[JSON]:
    return [WORDS[place % 4096] for place in range(size)]


def objects(size: int) -> list[JSON]:
    return [{"a": WORDS[place % 4096]} for place in range(size)]


def record(size: int) -> dict[str, JSON]:
    return {str(place): place for place in range(size)}


def nested(size: int) -> JSON:
    """Make items below hundreds of arrays."""
    value: JSON = list(range(size - 250))
    for _ in range(249):
        value = [value]
    return value


# What each function is given to reach so much of what its bound measures; the worst of it that is known.
LARGEST: dict[str, Callable[[int], list[Any]]] = {
    "compact": lambda size: [list(range(size))],
    "chunk": lambda size: [list(range(size - 1)), 1],
    "wrap": lambda size: [list(range(size))],
    "values": lambda size: [record(size)],
    "omit": lambda size: [record(size // 2), texts(size - size // 2)],
    "pick": lambda size: [record(size // 2), texts(size - size // 2)],
    "removeEmptyItems": lambda size: [[""] * size],
    "mapValues": lambda size: [record(size - 1), lambda one, _name: one],
    "distinct": lambda size: [[[[place]] for place in range((size - 1) // 3)] + [0] * ((size - 1) % 3)],
    "difference": lambda size: [list(range(size // 2 - 1)), list(range(size - size // 2 - 1))],
    "flatten": lambda size: [[[place] for place in range((size - 1) // 2)] + [0] * ((size - 1) % 2)],
    "flattenDeep": lambda size: [nested(size)],
    "flattenDepth": lambda size: [nested(size - 1), 1000],
    "removeEmpty": lambda size: [nested(size)],
    "find": lambda size: [[{}] * size, "a"],
    "lofilter": lambda size: [objects(size // 4), dict.fromkeys("abcd", "0")],
    "groupBy": lambda size: [objects(size), "a"],
    "keyBy": lambda size: [objects(size // 2), "a.b"],
    "orderBy": lambda size: [objects(size // 4), ["a", "b", "c", "a"]],
    "base64encode": lambda size: ["é" * size],
    "base64decode": lambda size: ["a" * size],
    "digest": lambda size: ["é" * (size - 7), "SHA-512"],
    "sign": lambda size: ["é" * (size - 14), "SHA-512", "secret!"],
    "getDataUri": lambda size: ["é" * (size - 10), "text/plain"],
    "jsonParse": lambda size: ["[" + "0," * ((size - 3) // 2) + "0" * (1 + (size - 3) % 2) + "]"],
    "parseQuery": lambda size: ["a&" * (size // 2) + "a" * (size % 2)],
    "parseUrl": lambda size: ["http://h/?" + "a&" * ((size - 10) // 2) + "a" * (size % 2)],
    "stringifyQuery": lambda size: [{"a": texts(size - 2)}],
    "firstNonEmpty": lambda size: [""] * size,
    "uuid": lambda size: [None] * size,
    "diceCoefficient": lambda size: ["ab" * 5000, "ba" * ((size - 10_000) // 2) + "a" * (size % 2)],
    # A thousand for each candidate: the text's hundred characters and its own.
    "mostSimilar": lambda size: ["ab" * 50, ["ab" * 450] * (size // 1000 - 1) + ["a" * (900 + size % 1000)]],
    "toNumber": lambda size: ["9" * size],
    "convertCurrencyFromSubunit": lambda size: ["9" * (size - 3), "USD"],
    "convertCurrencyToSubunit": lambda size: ["9" * (size - 3), "USD"],
    "getMimeType": lambda size: [".tgz" * (size // 4) + "a" * (size % 4)],
    "keys": lambda size: [record(size - 1)],
    "__replaced": lambda size: ["a" * (size // 100), "a", "b" * 99 + "b" * (size % 100)],
    "__moment": lambda size: ["1" * ((size - 10) // 2), "fromFormat", "MM" * ((size - 10) // 4) + "a" * (size % 4)],
}
# Too little to be timed.
SMALL = {"firstNonEmpty", "uuid", "toNumber", "convertCurrencyFromSubunit", "convertCurrencyToSubunit", "getMimeType"}


@functools.cache
def seconds_of(name: str, size: int, *, trial: int = 0) -> float:
    """Measure the least time of two calls, once for all tests that ask for the same ``trial``."""
    arguments = LARGEST[name](size)
    times = []
    # How often garbage is looked for depends on what else there is.
    gc.disable()
    for _ in range(2):
        before = time.thread_time()
        FUNCTIONS[name](*arguments)
        times.append(time.thread_time() - before)
    gc.enable()
    return min(times)


def test_every_function_is_measured() -> None:
    assert LARGEST.keys() == FUNCTIONS.keys() == BOUNDS.keys()


@pytest.mark.parametrize("name", LARGEST)
def test_a_call_at_the_bound_ends_soon(name: str) -> None:
    # A thread's own time counts what the machine takes for itself, so one trial in three is enough.
    assert any(seconds_of(name, BOUNDS[name].most, trial=trial) < AT_MOST_SECONDS for trial in range(3))


@pytest.mark.parametrize("name", sorted(LARGEST.keys() - SMALL - {"__moment", "diceCoefficient"}))
def test_time_grows_as_what_is_measured(name: str) -> None:
    def growth(trial: int) -> float:
        sizes = (BOUNDS[name].most // part for part in (4, 2, 1))
        quarter, half, whole = (max(seconds_of(name, size, trial=trial), 0.0005) for size in sizes)
        # What is quadratic takes four times as long at each doubling; what leaves a cache does so once.
        return min(half / quarter, whole / half)

    assert any(growth(trial) < 3.2 for trial in range(3))


@pytest.mark.parametrize("name", LARGEST)
def test_more_than_the_bound_is_an_error_that_names_the_function(name: str) -> None:
    bound = BOUNDS[name]
    size = next(
        size for size in range(bound.most, bound.most + 20_000) if bound.measure(LARGEST[name](size)) > bound.most
    )

    with pytest.raises(ValueError, match=f"^.{name} is given .* {bound.of}: expected at most {bound.most}$"):
        FUNCTIONS[name](*LARGEST[name](size))


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("$parseQuery(t)", {"t": "a&" * 300_000}),
        ("$flattenDeep([t, 1])", {"t": [0] * 199_999}),
        ("$toNumber(t)", {"t": "1" * 10_001}),
        ('$replace(t, "a", t)', {"t": "a" * 60_000}),
        ('t ~> $replace("a", t)', {"t": "a" * 60_000}),
        ('$map([t], $replace(?, "a", t))', {"t": "a" * 60_000}),
        ('$eval("$rep" & "lace(t, \\"a\\", t)")', {"t": "a" * 60_000}),
        ("($f := $replace; $f(t, /a+/, u))", {"t": "a" * 60_000, "u": "$0" * 5000}),
    ],
)
def test_within_an_expression_it_is_an_error_of_the_expression(text: str, data: JSON) -> None:
    with pytest.raises(ExpressionError, match="is given"):
        expressions.parse(text).evaluate(data)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("$map([1..1000], function($one) { $count($keys($parseQuery(t))) })", {"t": "a&" * 190_000}),
        ("$map([1..1000], function($one) { $count($distinct(t)) })", {"t": list(range(190_000))}),
        ("$lofilter([1..100000], function($one) { $sum([1..1000]) > 0 })", {}),
        ("$count($keys($merge($map([1..100000], function($one) { {$string($one): 1} }))))", {}),
        ('$map([1..600], function($one) { $pad("a", 9999999) })', {}),
        ('$map([1..600], function($one) { $pad("a", 999999) })', {}),
        ('($f := function($n, $a) { $n = 0 ? $a : $f($n - 1, {"a": $a, "b": $a}) }; $f(40, 1))', {}),
        ("$mapValues(t, function($one) { $sum([1..100000]) })", {"t": record(1000)}),
        *(
            (f"${function}", {"t": "a" * 100_000 + "!"})
            for function in (
                "match(t, /^(a+)+$/)",
                "contains(t, /^(a+)+$/)",
                'replace(t, /(a+a+)+y/, "")',
                "split(t, /(a|a)*b/)",
                "match(t, /a*a*a*a*b/)",
                "contains(t, /(?=(a+)+$)b/)",
            )
        ),
    ],
)  # fmt: skip
def test_an_expression_ends_soon_whatever_it_calls(text: str, data: JSON) -> None:
    before = time.process_time()

    try:
        expressions.parse(text).evaluate(data)
    except ExpressionError as error:
        assert error.reason in ("D1012", "U1001")

    # A limit of a second, and what a slow machine makes of it: without one each of these takes minutes.
    assert time.process_time() - before < 10 * AT_MOST_SECONDS


@pytest.mark.parametrize("format", ["MdHmsMdHmsMdHmsMdHms", "xXxX", "yyyyyMdHmsS" * 3])
def test_a_format_that_may_be_read_in_many_ways_is_refused(format: str) -> None:
    data = {"t": "1" * 39 + "x", "f": format}

    with pytest.raises(ExpressionError, match="in at most 20000 ways"):
        expressions.parse("$dtFromFormat(t, f).toISO()").evaluate(data)
