"""Literal secrets of a config, wherever one can be written; what is no secret stays readable."""

from typing import Any

import pytest

from app.engine.config.secrets import find_revelations, list_literal_secrets, redact_config
from app.engine.integrations.config import parse_config
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import merge
from app.engine.redaction import MASK, restore_masked

KEY = "canary-7f3a9"
BASE: JsonObject = {"base_url": "https://up.test"}
METHOD = ("resources", "things", "list")


def at(path: tuple[str, ...], value: JSON) -> JsonObject:
    for key in reversed(path):
        value = {key: value}
    config: JsonObject = merge(BASE, value)
    return config


PLACES: dict[str, tuple[tuple[str, ...], JSON]] = {
    "a header": (("headers",), {"X-Partner-Key": KEY}),
    "a header of no telling name": (("headers",), {"X-Client": KEY}),
    "a header with a scheme": (("headers",), {"Authorization": f"Bearer {KEY}"}),
    "a list in a header": (("headers",), {"X-Client": [KEY]}),
    "a parameter": (("query",), {"key": KEY}),
    "a parameter, deep": (("query",), {"a": {"b": [KEY]}}),
    "a parameter that is a number": (("query",), {"hapikey": 7391827364}),
    "a method's header": ((*METHOD, "headers"), {"X-Client": KEY}),
    "a method's parameter": ((*METHOD, "query"), {"pat": KEY}),
    "a method's body": ((*METHOD, "body"), {"auth": {"pin": KEY}}),
    "a method's body that is a text": ((*METHOD, "body"), f"<key>{KEY}</key>"),
    "a method's path": ((*METHOD, "path"), f"/things?hapikey={KEY}"),
    "a token in a path": ((*METHOD, "path"), "/bot7391827364:AAHdqTcvCH1vGWJxfSeofSAs0K5/things"),
    "a method's base_url": ((*METHOD, "base_url"), f"https://up.test/v1?key={KEY}"),
    "a method's authorization": ((*METHOD, "authorization"), {"format": "bearer", "token": KEY}),
    "base_url": (("base_url",), f"https://up.test?key={KEY}"),
    "base_url, among plain ones": (("base_url",), f"https://up.test/{{{{context.site}}}}?limit=5&k={KEY}"),
    "base_url's password": (("base_url",), f"https://me:{KEY}@up.test"),
    "base_url's user": (("base_url",), f"https://{KEY}@up.test"),
    "a default": (("headers",), {"X-Client": f"{{{{context.key?:{KEY}}}}}"}),
    "beside a placeholder": (("headers",), {"X-Client": f"Bearer {KEY}{{{{context.key}}}}"}),
    "basic": (("authorization",), {"format": "basic", "config": {"username": KEY, "password": ""}}),
    "header": (("authorization",), {"format": "header", "config": {"header_name": "X", "header_value": KEY}}),
    "the client's secret": (("credentials",), {"format": "oauth2", "config": {"client": {"id": "i", "secret": KEY}}}),
    "a token endpoint's field": (("credentials",), {"format": "oauth2", "config": {"tokenParams": {"client": KEY}}}),
    "a token endpoint's address": (
        ("credentials",),
        {"format": "oauth2", "config": {"auth": {"tokenHost": f"https://up.test?key={KEY}"}}},
    ),
    "an action": (("actions",), {"post_install": {"steps": [{"config": {"headers": {"X-Client": KEY}}}]}}),
    "an inbound webhook": (("webhook",), {"signing_secret": KEY, "cert": KEY}),
    "a resource named like a setting": (("resources", "headers", "list", "query"), {"pat": KEY}),
}


@pytest.mark.parametrize(("path", "value"), PLACES.values(), ids=PLACES)
def test_a_literal_is_a_secret_wherever_it_is_sent(path: tuple[str, ...], value: JSON) -> None:
    config = at(path, value)

    shown = redact_config(config)

    assert not any(part in str(shown) for part in (KEY, "7391827364"))
    assert MASK in str(shown)
    assert any(text in str(value) for secret in list_literal_secrets(config) for text in secret.texts)
    assert restore_masked(shown, config) == config


PLAIN: dict[str, JsonObject] = {
    "plain headers": {"headers": {"Accept": "text/csv", "Accept-Language": "en-US", "Notion-Version": "2022-06-28"}},
    "plain parameters": {"query": {"page[size]": "1000", "$top": 5000, "sort": "updated_at", "expand": "owner.name"}},
    "short values": {"query": {"a": "eu", "b": 123, "c": True, "d": None}},
    "placeholders": {"headers": {"X-Key": "{{context.pat}}", "Authorization": "Token token={{context.api_token}}"}},
    "placeholders of a pair": {
        "authorization": {"format": "basic", "username": "{{context.email}}/token", "password": "{{context.pass}}"}
    },
    "addresses": {"base_url": "https://{{context.site}}.up.test/v2.1/api?limit=1000&{{context.query}}"},
    "paths": {"resources": {"body": {"list": {"path": "/crm/v3/objects/contact-lists-of-2024/{{id}}/batch"}}}},
    "expressions": {"authorization": {"format": "header", "expression": "{'X-Key': context.key & 'literal'}"}},
    "an expression of a query": {"resources": {"a": {"list": {"query": "{'since': query.since ? 'secret' : 'x'}"}}}},
    "schemas": {"resources": {"a": {"list": {"query_schema": {"properties": {"token": {"type": "string"}}}}}}},
    "forms": {"credentials": {"format": "bearer", "config": {"fields": [{"name": "token", "label": "The token"}]}}},
    "declared": {"headers": {"X-Client": "ferryman"}, "query": {"App": "ferryman"}, "non_secret": ["x-client", "App"]},
    "graphql": {"resources": {"a": {"list": {"body": {"query": "{ issues { id } }", "variables": {"first": 1000}}}}}},
}


@pytest.mark.parametrize("config", PLAIN.values(), ids=PLAIN)
def test_what_is_no_secret_stays_readable(config: JsonObject) -> None:
    assert redact_config({**BASE, **config}) == {**BASE, **config}


@pytest.mark.parametrize(
    ("entries", "path", "message"),
    [
        (["X-Client", "x-app"], "config.non_secret.1", "'x-app' is the name of no header"),
        ("X-Client", "config.non_secret", "expected an array of names"),
        ([5], "config.non_secret", "expected an array of names"),
        (["context."], "config.non_secret.0", "expected a path such as 'context.site'"),
    ],
)
def test_a_name_that_is_nowhere_is_a_fault(entries: Any, path: str, message: str) -> None:
    _, (failure,) = parse_config({**BASE, "headers": {"X-Client": "ferryman"}, "non_secret": entries})

    assert failure.path == path
    assert message in failure.message


def test_names_in_addresses_are_known() -> None:
    config, faults = parse_config({"base_url": "https://up.test?app=ferryman", "non_secret": ["app"]})

    assert faults == []
    assert config is not None
    assert config.secrets == frozenset()


FORMS: dict[str, tuple[JSON, set[tuple[str, ...]]]] = {
    "by type": ([{"name": "site", "type": "text"}, {"name": "pass", "type": "password"}], {("site",)}),
    "without a type": ([{"name": "site"}], set()),
    "of a type that is not known": ([{"name": "site", "type": "textarea"}], set()),
    "named like a secret": ([{"name": "pat", "type": "text"}], set()),
    "by its word": ([{"name": "pat", "secret": False}, {"name": "site", "type": "text", "secret": True}], {("pat",)}),
    "once as a secret": ([{"name": "site", "type": "text"}, {"name": "site", "type": "password"}], set()),
}


@pytest.mark.parametrize(("fields", "plain"), FORMS.values(), ids=FORMS)
def test_a_form_declares_what_is_no_secret(fields: JSON, plain: set[tuple[str, ...]]) -> None:
    form = {"format": "bearer", "config": {"fields": fields}}
    config, faults = parse_config({**BASE, "credentials": form, "non_secret": ["context.a.b"]})

    assert faults == []
    assert config is not None
    assert config.plain_paths == plain | {("a", "b")}


def test_a_secret_that_is_no_boolean_is_a_fault() -> None:
    _, (failure,) = parse_config(
        {**BASE, "credentials": {"format": "bearer", "fields": [{"name": "a", "secret": "no"}]}}
    )

    assert failure.message == "secret of field 'a': expected true or false, found 'no'"


@pytest.mark.parametrize(
    ("sent", "paths"),
    [
        ({"non_secret": ["X-Client"]}, ["config.headers.X-Client"]),
        ({"non_secret": ["X-Client"], "headers": {"X-Client": MASK}}, ["config.headers.X-Client"]),
        ({"non_secret": ["X-Client"], "headers": {"X-Client": KEY}}, []),
        ({"non_secret": ["X-Client"], "headers": {"X-Client": "other"}}, []),
        ({"label": "x"}, []),
    ],
    ids=["declared later", "with its mask", "entered anew", "changed", "something else"],
)
def test_a_stored_secret_is_not_shown_by_declaring_it_to_be_none(sent: JsonObject, paths: list[str]) -> None:
    before: JsonObject = {**BASE, "headers": {"X-Client": KEY}}
    after: JsonObject = merge(before, restore_masked(sent, before))

    assert [failure.path for failure in find_revelations(before, after, sent, "config")] == paths
