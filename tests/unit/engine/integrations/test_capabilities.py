"""What can be called, in the published shape, as narrow as it is wanted."""

from typing import Any

import pytest

from app.engine.integrations.capabilities import CapabilityFilter, Surface, describe_capabilities
from app.engine.integrations.config import parse_config
from app.engine.integrations.offers import MappedModel, Offering
from app.engine.json_types import JSON, JsonObject
from tests.unit.services.service_tables import account

RESOURCES: JsonObject = {
    "people": {
        "list": {"description": "All people", "query_schema": {"since": {"type": "string"}}},
        "create": {"body_schema": {"type": "object"}, "api_documentation_url": "https://docs.test/people"},
    },
    "notes": {"pin": {"method": "post", "path": "/notes/{{id}}", "response_schema": {}}},
}
MODELS = [
    MappedModel(
        id="m1",
        name="crm",
        category="sales",
        resources={"contacts": {"description": "People"}, "deals": {}},
        methods={("contacts", "list"): None, ("contacts", "get"): None, ("deals", "list"): None},
        overridden=frozenset({("contacts", "get")}),
    )
]


def offering(config: JsonObject | None = None, **fields: Any) -> Offering:
    raw = {"base_url": "https://up.test", "resources": RESOURCES, **(config or {})}
    parsed, faults = parse_config(raw)
    assert parsed is not None, faults
    return Offering(
        **{"integration_id": "i", "name": "acme", "shown_config": raw, "config": parsed, "models": MODELS, **fields}
    )


def methods_of(shown: JsonObject) -> list[tuple[str, list[str]]]:
    return [(one["resource"], [method["method"] for method in one["methods"]]) for one in shown["proxy"]]


def test_integration_is_described_with_all_that_can_be_called() -> None:
    shown = describe_capabilities(offering(category="crm"), CapabilityFilter())

    assert shown["integration"] == {"id": "i", "name": "acme", "label": "acme", "category": "crm"}
    assert methods_of(shown) == [("notes", ["pin"]), ("people", ["list", "create"])]
    assert shown["proxy"][1]["methods"][0] == {
        "method": "list",
        "name": "list_acme_people",
        "description": "All people",
        "has_description": True,
        "has_query_schema": True,
        "has_body_schema": False,
        "has_response_schema": False,
        "api_documentation_url": None,
    }
    assert shown["proxy"][1]["methods"][1]["api_documentation_url"] == "https://docs.test/people"
    assert shown["unified"][0] == {
        "model": "crm",
        "model_label": "crm",
        "resource": "contacts",
        "description": "People",
        "docs_url": None,
        "methods": ["list", "get"],
    }
    assert shown["ai_readiness"] == {
        "proxy_methods": 3,
        "proxy_methods_with_descriptions": 1,
        "ai_ready_score": 0.33,
    }
    assert "account" not in shown


def test_account_is_told_of_with_what_is_laid_over_its_mappings() -> None:
    override = {"crm": {"deals": {"list": {}}}}

    shown = describe_capabilities(offering(account=account(), unified_model_override=override), CapabilityFilter())

    assert shown["account"] == {
        "id": "account",
        "status": "active",
        "authentication_method": "api_key",
        "is_blocked": False,
    }
    assert shown["environment_id"] == "environment"
    assert [one["env_overridden"] for one in shown["unified"]] == [True, True]
    without = describe_capabilities(offering(account=account()), CapabilityFilter())
    assert [one["env_overridden"] for one in without["unified"]] == [True, False]


def test_account_at_rest_is_blocked() -> None:
    assert describe_capabilities(offering(account=account(status="inactive")), CapabilityFilter())["account"][
        "is_blocked"
    ]


@pytest.mark.parametrize(
    ("wish", "proxy", "unified"),
    [
        (CapabilityFilter(surface=Surface.PROXY), [("notes", ["pin"]), ("people", ["list", "create"])], []),
        (CapabilityFilter(surface=Surface.UNIFIED), [], ["contacts", "deals"]),
        (CapabilityFilter(methods=["custom"]), [("notes", ["pin"])], []),
        (CapabilityFilter(methods=["list"], resource="people"), [("people", ["list"])], []),
        (CapabilityFilter(resource="deals"), [], ["deals"]),
        (CapabilityFilter(is_described=True), [("people", ["list"])], ["contacts", "deals"]),
    ],
)
def test_capabilities_are_narrowed(wish: CapabilityFilter, proxy: list[Any], unified: list[str]) -> None:
    shown = describe_capabilities(offering(), wish)

    assert (methods_of(shown), [one["resource"] for one in shown["unified"]]) == (proxy, unified)
    assert shown["ai_readiness"]["proxy_methods"] == 3


@pytest.mark.parametrize(
    ("credentials", "formats", "fields", "link"),
    [
        (None, [], [], None),
        ({"format": 5}, [], [], None),
        (
            {"format": "api_key", "fields": [{"name": "key", "required": True, "default": "x"}]},
            ["api_key"],
            ["key"],
            None,
        ),
        (
            {
                "oauth2": {"config": {"documentation_link": "https://docs.test"}},
                "api_key": {"fields": [{"name": "key", "label": "Key", "type": "password"}]},
                "basic": 5,
            },
            ["oauth2", "api_key", "basic"],
            ["key"],
            "https://docs.test",
        ),
    ],
)
def test_ways_to_sign_in_are_shown(credentials: JSON, formats: list[str], fields: list[str], link: str | None) -> None:
    # As it is shown: a config that can not be read is no reason to show nothing of it.
    shown_config = {"base_url": "https://up.test", "resources": RESOURCES, "credentials": credentials}

    auth = describe_capabilities(offering(shown_config=shown_config), CapabilityFilter())["auth"]

    assert (auth["formats"], [field["name"] for field in auth["fields"]]) == (formats, fields)
    assert auth.get("documentation_link") == link
    assert all(
        field.keys() >= {"name", "label", "type", "required"} and "default" not in field for field in auth["fields"]
    )


def test_integration_without_methods_is_not_ready_at_all() -> None:
    assert (
        describe_capabilities(offering({"resources": {}}), CapabilityFilter())["ai_readiness"]["ai_ready_score"] == 0.0
    )
