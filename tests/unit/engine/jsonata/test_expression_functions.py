"""The functions that mappings call beside JSONata's own, as they are called: from within an expression."""

import pytest

from app.engine.json_types import JSON
from app.engine.jsonata import expressions
from app.engine.paths import UNDEFINED
from app.engine.record_errors import ExpressionError

PEOPLE = [
    {"id": 1, "team": {"name": "a"}, "age": 30},
    {"id": 2, "team": {"name": "b"}},
    {"id": 3, "team": {"name": "a"}, "age": 20},
]
DATA = {"people": PEOPLE, "nothing": None, "at": "2024-01-31T10:20:30.000+02:00"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('$firstNonEmpty(nothing, "", [], {}, missing, 0, "x")', 0),
        ('$firstNonEmpty("", missing)', UNDEFINED),
        ('$omit({"a": 1, "b": 2, "c": 3}, ["a", "b"])', {"c": 3}),
        ('$pick({"a": 1, "b": 2, "c": 3}, "a", "c")', {"a": 1, "c": 3}),
        ("$omit(missing, 'a')", UNDEFINED),
        ('$removeEmpty({"a": null, "b": {"c": ""}, "d": [null, 0, {"e": []}], "f": false})', {"d": [0], "f": False}),
        ('$removeEmptyItems([null, "", 1, [], {}])', [1]),
        ('$mapValues({"a": 1, "b": 2}, function($v, $k) { $k & $v })', {"a": "a1", "b": "b2"}),
        ('$values({"a": 1, "b": 2})', [1, 2]),
        ('$compact([0, 1, false, null, "", "a"])', [1, "a"]),
        ("$chunk([1..5], 2)", [[1, 2], [3, 4], [5]]),
        ("$difference([1, 2, 3], [2], [3])", [1]),
        ('$find(people, {"id": 2}).id', 2),
        ("$find(people, function($p) { $p.age < 25 }).id", 3),
        ('$find(people, "nobody")', UNDEFINED),
        ('$lofilter(people, "age").id', [1, 3]),
        ("$flatten([[1, [2]], 3])", [1, [2], 3]),
        ("$flattenDeep([[1, [2, [3]]]])", [1, 2, 3]),
        ("$flattenDepth([[1, [2, [3]]]], 2)", [1, 2, [3]]),
        ('$keys($groupBy(people, "team.name"))', ["a", "b"]),
        ('$groupBy(people, "team.name").a.id', [1, 3]),
        ("$keyBy(people, function($p) { 'p' & $p.id }).p2.team.name", "b"),
        ('$orderBy(people, ["team.name", "age"], ["desc", "asc"]).id', [2, 3, 1]),
        ('$orderBy(people, "age", "desc").id', [1, 3, 2]),
        ("$wrap(1)", [1]),
        ("$wrap([1])", [1]),
        ('$distinct([{"a": 1, "b": 2}, {"b": 2, "a": 1}, 1, "1", 1])', [{"a": 1, "b": 2}, 1, "1"]),
        ('$base64encode("grüß")', "Z3LDvMOf"),
        ('$base64decode("Z3LDvMOf")', "grüß"),
        ('$base64decode($base64encode("a?>~", true))', "a?>~"),
        ('$digest("abc", "SHA-1")', "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ('$digest("abc", "sha-256", "base64")', "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
        ('$sign("m", "SHA-256", "k")', "b60090e3052297aeb5a080889ce2fc4bca957e756faeb4df7d31800ca1e771ec"),
        ('$jsonParse("{\\"a\\": [1]}").a', [1]),
        ('$jsonParse("no json")', "no json"),
        ('$parseQuery("?a=1&b=x%20y&a=2")', {"a": ["1", "2"], "b": "x y"}),
        ('$stringifyQuery({"a": [1, 2], "b": "x y", "c": null, "d": true})', "a=1&a=2&b=x%20y&d=true"),
        (
            '$parseUrl("https://u:p@h.io:8/a/b?c=1#d").[hostname, port, pathname, searchParams.c, hash]',
            ["h.io", "8", "/a/b", "1", "#d"],
        ),
        ('$getDataUri("hi", "text/plain")', "data:text/plain;base64,aGk="),
        ('$diceCoefficient("night", "nacht")', 0.25),
        ('$mostSimilar("colour", ["color", "cooler", "dollar"])', "color"),
        ('$mostSimilar("zzz", ["color"], 0.5)', UNDEFINED),
        ('[$toNumber(" 1,234.50 "), $toNumber("12"), $toNumber("x"), $toNumber(true)]', [1234.5, 12, 1]),
        ('$convertCurrencyFromSubunit(1999, "USD")', 19.99),
        ('$convertCurrencyToSubunit("19.99", "usd")', 1999),
        ('$convertCurrencyToSubunit(500, "JPY")', 500),
        ("$length($uuid())", 36),
        ('$getMimeType("a/b/report.pdf")', "application/pdf"),
    ],
)
def test_function_gives(text: str, result: JSON) -> None:
    assert expressions.parse(text).evaluate(DATA) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$dtFromIso(at).toISO()", "2024-01-31T10:20:30.000+02:00"),
        ("$dtFromIso(at).toUTC().toISO()", "2024-01-31T08:20:30.000Z"),
        ('$dtFromIso("2024-01-31").toMillis()', 1706659200000),
        ("$dtFromIso(at).plus({'months': 1}).toISODate()", "2024-02-29"),
        ("$dtFromIso(at).minus({'days': 31, 'hours': 1}).toISO()", "2023-12-31T09:20:30.000+02:00"),
        ("$dtFromIso(at).startOf('month').toISODate()", "2024-01-01"),
        ("$dtFromIso(at).startOf('week').toISODate()", "2024-01-29"),
        ("$dtFromIso(at).endOf('quarter').toISO()", "2024-03-31T23:59:59.999+02:00"),
        ("$dtFromIso(at).setZone('America/New_York').toFormat('yyyy-MM-dd HH:mm ZZ')", "2024-01-31 03:20 -05:00"),
        ("$dtFromIso(at).toFormat(\"EEE d MMM yy, h:mm a 'o''clock'\")", "Wed 31 Jan 24, 10:20 AM oclock"),
        ("[$dtFromIso(at).year, $dtFromIso(at).weekday, $dtFromIso(at).daysInMonth]", [2024, 3, 31]),
        ("$dtFromIso(at).diff($dtFromIso('2024-01-30T10:20:30+02:00'), 'hours').hours", 24),
        ("$dtFromIso('nonsense').toISO()", UNDEFINED),
        ("$dtFromIso(missing)", UNDEFINED),
        ("$dtFromFormat('31/12/2023 5:07 pm', 'dd/MM/yyyy h:mm a').toISO()", "2023-12-31T17:07:00.000Z"),
        ("$dtFromFormat('1700000000', 'X').toISO()", "2023-11-14T22:13:20.000Z"),
        ("$dtFromFormat('May 3 2021 +0530', 'MMM d yyyy ZZZ').toUTC().toISO()", "2021-05-02T18:30:00.000Z"),
        ("$dtFromFormat('2023', 'dd/MM/yyyy').toISO()", UNDEFINED),
        (
            "people.($n := id; $dtFromIso($$.at).plus({'days': $n}).toISODate())",
            ["2024-02-01", "2024-02-02", "2024-02-03"],
        ),
        ("$eval('$firstNonEmpty(null, 5)')", 5),
    ],
)
def test_moments_have_methods(text: str, result: JSON) -> None:
    assert expressions.parse(text).evaluate(DATA) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('$digest("abc", "SHA-9")', "SHA-256"),
        ("$dtFromIso(at).plus(5).plus('x')", "duration"),
        ("$dtFromIso(at).startOf('fortnight')", "'fortnight'"),
        ("$dtFromIso(at).setZone('Mars/Base')", "Mars/Base"),
        ("$dtFromIso(at).plus({'years': 9000})", "year"),
        ("$chunk([1], 'x')", "invalid literal"),
    ],
)
def test_a_function_that_can_not_is_an_expression_error(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        expressions.parse(text).evaluate(DATA)


def test_an_error_behind_a_prelude_tells_the_position_in_the_users_text() -> None:
    with pytest.raises(ExpressionError) as raised:
        expressions.parse("$dtFromIso(at).toISO() & $uppercase(5)").evaluate(DATA)

    assert raised.value.position == 36
