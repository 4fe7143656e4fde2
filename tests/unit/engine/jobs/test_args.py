import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.jobs.args import bind, check_schema
from app.engine.json_types import JSON

UUID = "3f2a9c1e-0b7d-4e58-9a6f-1c2d3e4f5a6b"
USER_IDS = {"type": "array", "items": {"type": "string"}, "required": True}
TREE = {
    "type": "object",
    "properties": {"tree": {"$ref": "#/$defs/node"}},
    "$defs": {"node": {"type": "object", "properties": {"child": {"$ref": "#/$defs/node"}}}},
}
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
KEYWORDS = st.sampled_from(
    ["type", "properties", "required", "items", "enum", "format", "$ref", "pattern", "a", "allOf"]
)
WORDS = st.sampled_from(["object", "string", "array", "#", "#/properties/a", "[", "http://host/x"])
VALUES = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYWORDS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(KEYWORDS, VALUES, max_size=3)


def object_schema(**properties: JSON) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def faults(schema: dict[str, Any], args: dict[str, Any]) -> dict[str, str]:
    assert check_schema(schema) == []
    return {failure.path: failure.message for failure in bind(schema, args)[1]}


def schema_faults(schema: JSON) -> dict[str, str]:
    return {failure.path: failure.message for failure in check_schema(schema)}


@pytest.mark.parametrize(
    "schema",
    [
        {"user_ids": USER_IDS, "limit": {"type": "integer"}},
        object_schema(user_ids=USER_IDS, limit={"type": "integer"}),
        {**object_schema(user_ids={"type": "array", "items": {"type": "string"}}, limit={}), "required": ["user_ids"]},
        {"properties": {"user_ids": USER_IDS}},
        {**object_schema(user_ids=USER_IDS), "required": True, "description": "whose tickets"},
    ],
    ids=["flat", "object", "list-of-required", "no-type", "required-flag-on-top"],
)
def test_both_dialects_ask_for_what_is_required(schema: dict[str, Any]) -> None:
    assert faults(schema, {}) == {"args.user_ids": "is required"}
    assert faults(schema, {"user_ids": [1]}) == {"args.user_ids.0": "expected string, found a number"}
    assert faults(schema, {"user_ids": ["u1"], "more": True}) == {}


@pytest.mark.parametrize("schema", [{}, {"properties": {}}, object_schema(), {"a": {}}, {"a": True}])
def test_a_schema_that_asks_for_nothing_takes_anything(schema: dict[str, Any]) -> None:
    assert faults(schema, {"a": [1, {"b": None}]}) == {}


@pytest.mark.parametrize("name", ["type", "properties", "required", "description", "default", "it's", "a.b", "$ref"])
def test_a_flat_argument_may_have_any_name(name: str) -> None:
    schema = {name: {"type": "string", "required": True}}

    assert faults(schema, {}) == {f"args.{name}": "is required"}
    assert faults(schema, {name: 1}) == {f"args.{name}": "expected string, found a number"}


def test_every_fault_is_told_in_the_order_of_the_paths() -> None:
    schema = {"b": {"type": "integer"}, "a": {"required": True}, "d": {"enum": ["x", 1]}, "c": {"minimum": 5}}

    failures = bind(schema, {"b": "1", "c": 4, "d": None})[1]

    assert [(failure.path, failure.message) for failure in failures] == [
        ("args.a", "is required"),
        ("args.b", "expected integer, found a text"),
        ("args.c", "does not satisfy minimum: 5"),
        ("args.d", 'expected one of "x", 1'),
    ]


@pytest.mark.parametrize(
    ("described", "value", "path"),
    [
        ({}, {}, "args.a.x"),
        ({"properties": {"b": {}}}, {"b": {}}, "args.a.b.x"),
        ({"items": {}}, [{}], "args.a.0.x"),
        ({"anyOf": [{}]}, {}, "args.a.x"),
        ({"additionalProperties": {}}, {"b": {}}, "args.a.b.x"),
        ({"patternProperties": {"^b": {}}}, {"b": {}}, "args.a.b.x"),
    ],
    ids=str,
)
def test_a_required_flag_is_read_at_any_depth(described: dict[str, Any], value: JSON, path: str) -> None:
    flagged = {"properties": {"x": {"required": True}, "y": {"required": False}}}

    schema = {"a": json.loads(json.dumps(described).replace("{}", json.dumps(flagged)))}

    assert faults(schema, {"a": value}) == {path: "is required"}


def test_a_flag_and_a_list_of_required_names_go_together() -> None:
    schema = {**object_schema(a={"required": True}, b={"required": True}), "required": ["a", "c"]}

    assert list(faults(schema, {})) == ["args.a", "args.b", "args.c"]


def test_a_list_of_required_names_asks_for_nothing_of_its_own_property() -> None:
    schema = {"a": {"type": "object", "required": ["x"]}}

    assert faults(schema, {}) == {}
    assert faults(schema, {"a": {}}) == {"args.a.x": "is required"}


def test_what_an_object_holds_is_asked_of_objects_only() -> None:
    schema = {"a": {"properties": {"x": {"required": True}}, "additionalProperties": False}}

    assert faults(schema, {"a": 5}) == {}


def test_data_that_looks_like_a_schema_stays_as_it_is() -> None:
    data = {"properties": {"x": {"required": True}}, "required": True}

    assert bind({"a": {"default": data, "enum": [data]}}, {}) == ({"a": data}, [])


def test_defaults_fill_what_is_absent_also_in_objects_that_are_there() -> None:
    schema = {
        "limit": {"type": "integer", "default": 10},
        "none": {"default": None},
        "filter": {"type": "object", "properties": {"state": {"default": "open"}}},
        "page": {"type": "object", "default": {}, "properties": {"size": {"default": 5}}},
        "absent": {"type": "object", "properties": {"state": {"default": "open"}}},
    }

    bound, failures = bind(schema, {"limit": 3, "filter": {}, "more": 1})

    assert bound == {"limit": 3, "none": None, "filter": {"state": "open"}, "page": {"size": 5}, "more": 1}
    assert failures == []


def test_a_default_satisfies_required_and_is_checked() -> None:
    assert faults({"a": {"required": True, "default": 1}}, {}) == {}
    assert faults({"a": {"type": "string", "default": 1}}, {}) == {"args.a": "expected string, found a number"}


def test_binding_shares_nothing_with_schema_and_args() -> None:
    schema = {"a": {"default": {"list": []}}, "b": {"properties": {"c": {"default": 1}}}}
    args: dict[str, Any] = {"b": {}}
    before = copy.deepcopy((schema, args))

    bind(schema, args)[0]["a"]["list"].append(1)

    assert (schema, args) == before


@pytest.mark.parametrize(
    ("format", "good", "bad"),
    [
        *[(name, [UUID, UUID.upper()], ["", "1", UUID[:-1], f"urn:uuid:{UUID}", UUID.replace("-", ""), f"{UUID}\n"])
          for name in ("uuid", "integrated_account_id", "webhook_id", "datastore_id")],
        *[(name, ["2026-01-05", "2026-01-05T10:00:00.000Z", "2026-01-05 10:00:00"],
           ["", "2026-02-30", "2026-02-30T10:00:00Z", "20260105", "2026-W01-1", "05/01/2026", "2026-01-05\n"])
          for name in ("date", "updated_at")],
        ("date-time", ["2026-01-05T10:00:00Z", "2026-01-05t10:00:00.123456z", "2026-01-05T10:00:00+05:30"],
         ["2026-01-05", "2026-01-05T25:00:00Z", "10:00:00", "2026-01-05T10:00:00Zed"]),
        ("email", ["a@b.c"], ["nobody"]),
        ("ipv4", ["10.0.0.1"], ["10.0.0.256"]),
        ("something-new", ["anything"], []),
    ],
)  # fmt: skip
def test_formats_are_checked(format: str, good: list[str], bad: list[str]) -> None:
    schema = {"a": {"type": "string", "format": format}}

    assert [text for text in good if faults(schema, {"a": text})] == []
    assert [text for text in bad if faults(schema, {"a": text}) != {"args.a": f"expected the format {format}"}] == []


def test_a_format_is_for_texts_only() -> None:
    assert (
        faults(
            {"a": {"format": "uuid"}, "b": {"format": "date"}, "c": {"format": "date-time"}}, {"a": 1, "b": 1, "c": 1}
        )
        == {}
    )


def test_additional_arguments_are_refused_where_the_schema_says_so() -> None:
    schema = {**object_schema(a={}), "patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": False}

    assert faults(schema, {"a": 1, "b": 1, "c": 1, "x-d": "ok", "x-e": 1}) == {
        "args.b": "is not expected here",
        "args.c": "is not expected here",
        "args.x-e": "expected string, found a number",
    }


def test_additional_arguments_may_have_a_schema() -> None:
    assert faults({**object_schema(a={}), "additionalProperties": True}, {"b": "x"}) == {}

    schema = {**object_schema(a={}), "additionalProperties": {"type": "integer"}}

    assert faults(schema, {"a": "x", "b": 1, "c": "x"}) == {"args.c": "expected integer, found a text"}


@pytest.mark.parametrize(
    ("described", "value", "message"),
    [
        ({"type": ["string", "null"]}, 1, "expected string or null, found a number"),
        ({"type": "string"}, None, "expected string, found null"),
        (
            {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            [],
            "expected string, found an array or expected integer, found an array",
        ),
        ({"oneOf": [{}, {}]}, 1, "does not satisfy oneOf: [{}, {}]"),
        ({"enum": ["x" * 500]}, 1, 'expected one of "' + "x" * 283 + "…"),
    ],
)
def test_a_fault_says_what_was_expected(described: dict[str, Any], value: JSON, message: str) -> None:
    assert faults({"a": described}, {"a": value}) == {"args.a": message}


@pytest.mark.parametrize(
    "described",
    [{"type": "integer"}, {"enum": ["a"]}, {"const": "a"}, {"pattern": "^a$"}, {"format": "uuid"}, {"maxLength": 2},
     {"not": {}}, {"anyOf": [{"type": "integer"}, {"const": 1}]}, {"allOf": [{"minLength": 99}]}],
    ids=str,
)  # fmt: skip
def test_no_fault_repeats_a_value_which_may_be_secret(described: dict[str, Any]) -> None:
    (message,) = faults({"token": described}, {"token": "hunter2-hunter2"}).values()

    assert "hunter2" not in message


def test_a_schema_may_refer_to_itself() -> None:
    assert faults(TREE, {"tree": {"child": {"child": 5}}}) == {
        "args.tree.child.child": "expected object, found a number"
    }


def test_args_that_are_too_deep_are_a_fault() -> None:
    tree: JSON = {}
    for _ in range(5000):
        tree = {"child": tree}

    assert faults(TREE, {"tree": tree}) == {"args": "is nested too deeply"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (None, {"args_schema": "expected an object, found nothing"}),
        ([], {"args_schema": "expected an object, found an array"}),
        ({"a": "string"}, {"args_schema.a": "expected object or boolean, found a text"}),
        ({"type": "string"}, {"args_schema.type": "expected 'object', which is what args are"}),
        ({"type": ["array", "null"]}, {"args_schema.type": "expected 'object', which is what args are"}),
        ({"properties": 5}, {"args_schema.properties": "expected object, found a number"}),
        ({"properties": [{}]}, {"args_schema.properties": "expected object, found an array"}),
        (object_schema(a=5), {"args_schema.properties.a": "expected object or boolean, found a number"}),
        ({**object_schema(), "required": [{}]}, {"args_schema.required.0": "expected string, found an object"}),
        ({"a": {"minimum": "x"}, "b": {"required": "yes"}},
         {"args_schema.a.minimum": "expected number, found a text",
          "args_schema.b.required": "expected array, found a text"}),
        ({"a": {"pattern": "["}}, {"args_schema.a.pattern": "expected the format regex"}),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_with_a_schema_is_told_with_its_path(schema: JSON, expected: dict[str, str]) -> None:
    assert schema_faults(schema) == expected


@pytest.mark.parametrize("types", [None, 5, "strnig", [None], [["object"]], []], ids=repr)
def test_an_object_schema_of_no_known_type_is_refused(types: JSON) -> None:
    assert next(iter(schema_faults({"type": types}))).startswith("args_schema.type")


def test_every_unknown_type_of_a_schema_is_told() -> None:
    found = schema_faults({"a": {"type": "strnig"}, "b": {"items": {"type": "date"}}})

    assert list(found) == ["args_schema.a.type", "args_schema.b.items.type"]
    assert all('"string"' in message for message in found.values())


def test_a_schema_is_told_of_under_the_name_that_it_has() -> None:
    assert check_schema({"a": 5}, path="body.args_schema")[0].path == "body.args_schema.a"


@pytest.mark.parametrize(
    "reference",
    ["http://127.0.0.1:1/schema", "file:///etc/passwd", "https://json-schema.org/draft/2020-12/schema", "other.json",
     "#nope", "#/nope", "#/title", "#/title/x", "#/title/0", "#/count/x", "#/default", "http://[", "#/allOf/x"],
)  # fmt: skip
def test_a_reference_out_of_the_schema_is_refused_and_never_fetched(reference: str) -> None:
    schema = {
        **object_schema(a={"$ref": reference}),
        "title": "text",
        "count": 5,
        "default": {"type": "bogus"},
        "allOf": [{}],
    }

    assert schema_faults(schema) == {
        "args_schema.properties.a.$ref": f"refers to '{reference}', which is no schema within this one"
    }


def test_a_schema_that_refers_to_itself_without_end_is_refused() -> None:
    assert "without end" in schema_faults({"type": "object", "$ref": "#"})["args_schema"]


def test_a_schema_that_is_too_deep_is_refused() -> None:
    schema: JSON = {"type": "object"}
    for _ in range(3000):
        schema = object_schema(a=schema)

    assert "nested too deeply" in schema_faults(schema)["args_schema"]


@given(VALUES)
def test_any_schema_is_judged(schema: JSON) -> None:
    check_schema(schema)


@given(OBJECTS, OBJECTS)
def test_a_schema_without_faults_judges_any_args(schema: dict[str, Any], args: dict[str, Any]) -> None:
    if check_schema(schema):
        return

    bound, failures = bind(schema, args)

    assert args.keys() <= bound.keys()
    assert all(failure.path.startswith("args") for failure in failures)
