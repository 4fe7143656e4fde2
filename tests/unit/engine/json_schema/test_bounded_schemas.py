"""Tenants' schemas and patterns, each as bad as they come: judged within a bound of computing time."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from app.engine.jobs.args import bind, check_schema
from app.engine.json_schema.patterns import find_pattern_fault, is_match, is_regex
from app.engine.json_types import JSON
from app.engine.unified.model import check_resources

# The bounds are half a second for arguments, 3 for schemas; what is slower than that by far is no bound.
AT_MOST_SECONDS = 5.0
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
EVIL = "^(a+)+$"
EVIL_TEXT = "a" * 5000 + "!"
REFUSED_PATTERNS = ["^(?=a)b", "(?<!a)b", r"(a)\1", "(a{1000}){1000}", "\ud800", "a" * 1001]


def of_x(**described: JSON) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": described}}


def doubling(of: Callable[[str], dict[str, JSON]]) -> dict[str, Any]:
    defs: dict[str, JSON] = {f"a{depth}": of(f"#/$defs/a{depth + 1}") for depth in range(40)}
    return {**of_x(**{"$ref": "#/$defs/a0"}), "$defs": {**defs, "a40": {"type": "integer"}}}


def all_of(reference: str) -> dict[str, JSON]:
    return {"allOf": [{"$ref": reference}, {"$ref": reference}]}


def any_of(reference: str) -> dict[str, JSON]:
    return {"anyOf": [{"$ref": reference}, {"$ref": reference}]}


def dependent(reference: str) -> dict[str, JSON]:
    return {"dependentSchemas": {"a": {"$ref": reference}, "b": {"$ref": reference}}, "unevaluatedProperties": False}


ATTACKS: dict[str, tuple[dict[str, Any], JSON]] = {
    "pattern": (of_x(pattern=EVIL), EVIL_TEXT),
    "pattern-of-another-dialect": (of_x(**{"$schema": DRAFT_7, "pattern": EVIL}), EVIL_TEXT),
    "pattern-properties": (of_x(patternProperties={EVIL: {}}), {EVIL_TEXT: 1}),
    "additional-properties": (of_x(patternProperties={EVIL: {}}, additionalProperties=False), {EVIL_TEXT: 1}),
    "unevaluated-properties": (of_x(patternProperties={EVIL: {}}, unevaluatedProperties=False), {EVIL_TEXT: 1}),
    "property-names": (of_x(propertyNames={"pattern": EVIL}), {EVIL_TEXT: 1}),
    "costly-pattern": (of_x(items={"pattern": "((a?b?){900}Q){4}"}), ["ab" * 400] * 1000),
    "long-text": (of_x(pattern=EVIL), "a" * 5_000_000),
    "doubled-all-of": (doubling(all_of), "text"),
    "doubled-any-of": (doubling(any_of), "text"),
    "doubled-dependent": (doubling(dependent), {"a": 1, "b": 1}),
    "tree": (
        of_x(**{"$ref": "#/$defs/n"}) | {"$defs": {"n": {"allOf": [{"properties": {"c": {"$ref": "#/$defs/n"}}}] * 2}}},
        {"c": {"c": {"c": {"c": {"c": {"c": {"c": {"c": {"c": {"c": {"c": {"c": {"c": {"c": {"c": 1}}}}}}}}}}}}}}},
    ),
    "unique-objects": (of_x(uniqueItems=True), [{"a": place} for place in range(100_000)]),
    "long-enum": (of_x(items={"enum": list(range(9000))}), [-place for place in range(100_000)]),
    "many-faults": (of_x(items={"enum": ["x" * 9000]}), ["y"] * 100_000),
    "contains": (of_x(contains={"type": "string"}), list(range(500_000))),
    "unevaluated-items": (of_x(allOf=[{"prefixItems": [True] * 90}] * 50, unevaluatedItems=False), list(range(99_999))),
    "unknown-keywords": (of_x(allOf=[{"items": {"a": 1}}] * 1000), list(range(100_000))),
    "many-patterns": (
        of_x(patternProperties={f"x{one}$": {} for one in range(3000)}),
        dict.fromkeys("abcdef" * 999, 1),
    ),
    "multiple-of": (of_x(items={"multipleOf": 5e-324}), [1e308] * 100_000),
}


@pytest.mark.parametrize(("schema", "value"), ATTACKS.values(), ids=ATTACKS)
def test_arguments_are_judged_within_the_bound(schema: dict[str, Any], value: JSON) -> None:
    before = time.process_time()

    bind(schema, {"x": value})

    assert time.process_time() - before < AT_MOST_SECONDS


@pytest.mark.parametrize(
    "schema",
    [
        *(schema for schema, _ in ATTACKS.values()),
        {"type": "object", **all_of("#/$defs/a0"), "$defs": doubling(all_of)["$defs"]},
        {"type": "object", "required": [{"a": place} for place in range(100_000)]},
        {"type": "object", "properties": {str(place): {"required": True} for place in range(3000)}},
        {"type": "object", "properties": {str(place): {"$ref": "#nowhere"} for place in range(3000)}},
        {"type": "object", "properties": {str(place): {"type": "string", "format": "date"} for place in range(3000)}},
    ],
    ids=[*ATTACKS, "itself-doubled", "many-objects", "many-flags", "many-references", "many-properties"],
)
def test_a_schema_is_judged_within_the_bound(schema: dict[str, Any]) -> None:
    before = time.process_time()

    check_schema(schema)
    check_resources({"a": {"schema": schema}})

    assert time.process_time() - before < 2 * AT_MOST_SECONDS


def test_what_takes_too_long_is_told() -> None:
    schema, value = ATTACKS["doubled-all-of"]

    failure = bind(schema, {"x": value})[1][0]

    assert (failure.path, failure.message) == (
        "args",
        "can not be checked against the job's args_schema: it takes more than 0.5 seconds of computing",
    )


def test_a_schema_that_doubles_is_refused_at_once() -> None:
    schema = {"type": "object", **all_of("#/$defs/a0"), "$defs": doubling(all_of)["$defs"]}

    (failure,) = check_schema(schema)

    assert failure.message == "can not be checked: it takes more than 0.5 seconds of computing"


@pytest.mark.parametrize("pattern", REFUSED_PATTERNS)
@pytest.mark.parametrize(
    ("schema_of", "path"),
    [
        (lambda pattern: of_x(pattern=pattern), "properties.x.pattern"),
        (lambda pattern: {"x": {"items": {"pattern": pattern}}}, "x.items.pattern"),
        (lambda pattern: of_x(patternProperties={pattern: {}}), "properties.x.patternProperties.{}"),
    ],
    ids=["pattern", "flat", "pattern-properties"],
)
def test_a_pattern_without_linear_time_is_refused_with_its_path(
    schema_of: Callable[[str], dict[str, Any]], path: str, pattern: str
) -> None:
    failures = {failure.path: failure.message for failure in check_schema(schema_of(pattern))}

    if len(pattern) <= 1000:
        assert failures == {f"args_schema.{path.format(pattern)}": find_pattern_fault(pattern)}
    assert failures


@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: {"not": it}, lambda it: {"anyOf": [it, {}]}])
def test_a_stored_pattern_without_linear_time_refuses_only_what_it_would_judge(
    wrap: Callable[[dict[str, JSON]], dict[str, JSON]],
) -> None:
    schema = of_x(**wrap({"pattern": "(?=a)b"}))

    assert bind(schema, {"y": 1}) == ({"y": 1}, [])
    (failure,) = bind(schema, {"x": "a"})[1]
    assert failure.path == "args"
    assert "args_schema.properties.x." in failure.message
    assert "can not be matched in linear time" in failure.message


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"^\w{1,64}$", "abc_1", "a b"),
        (r"^[^@\s]{1,64}@[^@\s]{1,255}$", "a@b", "a@"),
        (r"^.{1,255}$", "é" * 255, "é" * 256),
        (r"^\d{4}-\d{2}$", "2026-01", "2026-1"),
        (r"b", "abc", "acd"),
        (r"^\u00e9\cA\\u$", "é\x01\\u", "e"),
        (r"^\p{L}+$", "Ünï", "1"),
        ("^.$", "\ud800", "\ud800\ud800"),
    ],
)
def test_patterns_are_those_of_json_schema(pattern: str, good: str, bad: str) -> None:
    assert find_pattern_fault(pattern) is None
    assert (is_match(pattern, good), is_match(pattern, bad)) == (True, False)


@pytest.mark.parametrize(("text", "expected"), [("a+", True), ("(?=a)", True), ("[", False), ("a" * 1001, False)])
def test_texts_may_be_asked_to_be_patterns(text: str, expected: bool) -> None:
    assert is_regex(text) is expected
    assert (bind(of_x(format="regex"), {"x": text})[1] == []) is expected


@pytest.mark.parametrize(
    ("described", "good", "bad"),
    [
        ({"uniqueItems": True}, [1, True, "1", [1], {"a": 1}], [1, 1.0]),
        ({"uniqueItems": True}, [{"a": [1]}, {"a": [2]}], [{"a": [1], "b": 2}, {"b": 2, "a": [1.0]}]),
        ({"properties": {"a": True}, "unevaluatedProperties": False}, {"a": 1}, {"b": 1}),
        ({"patternProperties": {"^a": {}}, "unevaluatedProperties": False}, {"ab": 1}, {"b": 1}),
        ({"unevaluatedProperties": {"type": "string"}}, {"a": "x"}, {"a": 1}),
        ({"additionalProperties": {"type": "string"}, "unevaluatedProperties": False}, {"a": "x"}, {"a": 1}),
        ({"allOf": [{"properties": {"a": {}}}, True], "unevaluatedProperties": False}, {"a": 1}, {"b": 1}),
        ({"anyOf": [{"required": ["a"], "properties": {"a": {}}}, {}], "unevaluatedProperties": False},
         {"a": 1}, {"b": 1}),
        ({"$ref": "#/$defs/d", "unevaluatedProperties": False}, {"d": 1}, {"a": 1}),
        ({"dependentSchemas": {"a": {"properties": {"a": {}, "b": {}}}}, "unevaluatedProperties": False},
         {"a": 1, "b": 1}, {"b": 1}),
        ({"if": {"properties": {"a": {"const": 1}}, "required": ["a"]}, "then": {"properties": {"b": {}}},
          "else": {"properties": {"c": {}}}, "unevaluatedProperties": False}, {"a": 1, "b": 1}, {"a": 1, "c": 1}),
        ({"if": {"required": ["a"]}, "else": {"properties": {"c": {}}}, "unevaluatedProperties": False}, {"c": 1},
         {"a": 1}),
        ({"if": {}, "unevaluatedProperties": False}, {}, {"a": 1}),
        ({"prefixItems": [True], "unevaluatedItems": False}, [1], [1, 2]),
        ({"items": {}, "unevaluatedItems": False}, [1, 2], None),
        ({"contains": {"type": "string"}, "unevaluatedItems": False}, ["a"], ["a", 1]),
        ({"allOf": [{"prefixItems": [True]}], "unevaluatedItems": {"type": "string"}}, [1, "a"], [1, 2]),
        ({"unevaluatedItems": False}, "text", [1]),
    ],
    ids=str,
)  # fmt: skip
def test_replaced_keywords_mean_what_json_schema_says(described: dict[str, Any], good: JSON, bad: JSON) -> None:
    schema = {**of_x(**described), "$defs": {"d": {"properties": {"d": {}}}}}

    assert check_schema(schema) == []
    assert bind(schema, {"x": good})[1] == []
    assert bad is None or bind(schema, {"x": bad})[1]


def test_an_id_that_is_no_uri_is_refused() -> None:
    schema = {"type": "object", "$id": "http://a/", "properties": {"a": {"$id": "http://["}}}

    assert [failure.path for failure in check_schema(schema)] == ["args_schema.$id"]


def test_a_model_schema_that_can_not_be_judged_is_refused() -> None:
    deep: JSON = {}
    for _ in range(3000):
        deep = {"not": deep}

    failures = check_resources({"deep": {"schema": deep}, "large": {"schema": {"enum": [0] * 10_000}}})

    assert [failure.path for failure in failures] == ["resources.deep.schema", "resources.large.schema"]
    assert [failure.message for failure in failures] == [
        "is nested too deeply",
        "has 10002 parts: expected at most 10000",
    ]
    check_resources({"a": {"schema": {"$schema": 5}}})


def test_a_pattern_is_not_too_long() -> None:
    assert find_pattern_fault("a" * 1001) == "is longer than 1000 characters"
    assert find_pattern_fault("a" * 1000) is None
