"""What an integration offers, as tools and as capabilities."""

from typing import Any

import pytest

from app.engine.integrations.config import parse_config
from app.engine.integrations.offers import MappedModel, Offering, is_among
from app.engine.json_types import JSON, JsonObject

SCHEMA: JsonObject = {"type": "object", "properties": {"since": {"type": "string"}}, "required": ["since"]}
RESOURCES: JsonObject = {
    "people": {
        "list": {"description": "All people", "query_schema": SCHEMA},
        "get": {"query_schema": {"fields": {"type": "string"}}},
        "create": {"body_schema": {"type": "object"}},
    },
    "notes": {"list": {"path": "/people/{{query.person}}/notes"}, "pin": {"method": "post", "path": "/notes/{{id}}"}},
}
MODELS = [
    MappedModel(
        id="m1",
        name="crm",
        category="sales",
        resources={"contacts": {"description": "People"}, "deals": {"methods": ["list", {"name": "win"}]}},
        methods={("contacts", "list"): None, ("contacts", "get"): "One of them", ("contacts", "gone"): None},
    ),
    MappedModel(id="m2", name="hr", category=None, resources={"people": {}}),
]


def offering(**fields: Any) -> Offering:
    raw = {"base_url": "https://up.test", "resources": RESOURCES, **fields.pop("config", {})}
    config, faults = parse_config(raw)
    assert config is not None, faults
    return Offering(
        **{"integration_id": "i", "name": "acme", "shown_config": raw, "config": config, "models": MODELS, **fields}
    )


def tool(name: str, **config: JSON) -> JsonObject:
    return next(one for one in offering(config=config).describe_tools() if one["name"] == name)


def test_every_method_of_the_config_is_a_tool() -> None:
    tools = offering().describe_tools()

    assert [(one["name"], one["description"]) for one in tools] == [
        ("list_acme_notes", "list notes of acme"),
        ("pin_acme_notes", "pin notes of acme"),
        ("list_acme_people", "All people"),
        ("get_acme_people", "get people of acme"),
        ("create_acme_people", "create people of acme"),
    ]
    assert tool("get_acme_people", label="Acme Ltd")["description"] == "get people of Acme Ltd"


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("list_acme_people", SCHEMA),
        ("get_acme_people", {"id": {"type": "string", "required": True}, "fields": {"type": "string"}}),
        ("create_acme_people", {"type": "object", "properties": {}}),
        ("list_acme_notes", {"type": "object", "properties": {"person": {"type": "string"}}, "required": ["person"]}),
        ("pin_acme_notes", {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}),
    ],
)
def test_query_schema_names_what_the_path_needs(name: str, schema: JsonObject) -> None:
    assert tool(name)["query_schema"] == schema


def test_what_a_schema_requires_already_is_not_required_twice() -> None:
    resources = {"notes": {"get": {"query_schema": {"type": "object", "properties": {"id": {}}, "required": ["id"]}}}}

    schema = tool("get_acme_notes", resources=resources)["query_schema"]

    assert schema == {"type": "object", "properties": {"id": {}}, "required": ["id"]}


def test_names_are_short_plain_and_taken_once() -> None:
    resources = {"a b": {"list": {}}, "a-b": {"list": {}}, "a_b": {"list": {}}, "x" * 80: {"list": {}, "lists": {}}}

    names = [one["name"] for one in offering(config={"resources": resources}).describe_tools()]

    assert names[:3] == ["list_acme_a_b", "list_acme_a-b", "list_acme_a_b_2"]
    assert len(set(names)) == 5
    assert max(map(len, names)) == 64
    long = {"x" * 80: {"list": {}}, "x" * 81: {"list": {}}}
    assert [len(one["name"]) for one in offering(config={"resources": long}).describe_tools()] == [64, 64]


@pytest.mark.parametrize(
    ("methods", "tags", "expected"),
    [
        (["read"], [], ["list_acme_notes", "list_acme_people", "get_acme_people"]),
        (["write", "pin"], [], ["pin_acme_notes", "create_acme_people"]),
        (["custom"], [], ["pin_acme_notes"]),
        ([], ["text"], ["list_acme_notes", "pin_acme_notes"]),
        (["list"], ["crm", "other"], ["list_acme_people"]),
        ([], ["other"], []),
    ],
)
def test_tools_are_narrowed_by_methods_and_tags(methods: list[str], tags: list[str], expected: list[str]) -> None:
    tagged = offering(config={"tool_tags": {"people": ["crm", 5], "notes": ["text"]}})

    assert [one["name"] for one in tagged.describe_tools(methods=methods, tags=tags)] == expected
    assert tagged.describe_tools()[-1]["tags"] == ["crm"]


@pytest.mark.parametrize("tags", [None, [], {"people": "crm"}])
def test_tags_of_another_form_are_none(tags: JSON) -> None:
    assert tool("list_acme_people", tool_tags=tags)["tags"] == []


def test_mapped_methods_say_what_they_are_for() -> None:
    found = [(one.resource, one.method, one.description) for one in offering().list_mapped(MODELS[0])]

    assert found == [("contacts", "list", "People"), ("contacts", "get", "One of them")]


@pytest.mark.parametrize(
    ("name", "required"),
    [
        ("list_acme_people", ["since"]),
        ("get_acme_people", ["id"]),
        ("create_acme_people", []),
        ("list_acme_notes", ["person"]),
    ],
)
def test_tool_names_what_it_can_not_do_without(name: str, required: list[str]) -> None:
    assert tool(name)["required"] == required


def test_what_a_body_requires_is_required_too() -> None:
    body = {"type": "object", "properties": {"name": {"required": True}, "x": 5}, "required": ["email", 5]}
    resources = {"people": {"update": {"body_schema": body}, "create": {"body_schema": {"properties": []}}}}

    assert tool("update_acme_people", resources=resources)["required"] == ["id", "email", "name"]
    assert tool("create_acme_people", resources=resources)["required"] == []


def test_an_accounts_own_mapping_counts() -> None:
    override = {"crm": {"deals": {"win": {}, "lose": {}, "list": None}}, "hr": {"people": "no object"}}

    assert offering(unified_model_override=override).list_unified_apis() == [
        {
            "unified_model_id": "m1",
            "name": "crm",
            "category": "sales",
            "resources": {"contacts": {"methods": ["list", "get"]}, "deals": {"methods": ["win"]}},
        }
    ]


def test_a_model_of_which_nothing_is_mapped_is_no_api() -> None:
    assert [api["name"] for api in offering().list_unified_apis()] == ["crm"]


def test_no_wish_is_every_method() -> None:
    assert is_among("anything", [])
    assert not is_among("list", ["write"])
