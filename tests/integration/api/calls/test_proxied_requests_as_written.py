"""A request is the same wherever it is made: tried, called directly, or shown; and no placeholder is sent as it is."""

from typing import Any

import pytest

from app.engine.json_types import JSON, JsonObject
from tests.integration.api.calling import Caller
from tests.support.upstream import Upstream, reply

USERS = {"resource": "users", "method": "list"}
ODD = {"@id": "u/1", "$ref": "r 2", "#text": "t", "@odata.etag": 'W/"3"', "tags": [{"id": 4}], "a b": {"c.d": "50%"}}


def connect(api: Caller, upstream: Upstream, **config: JSON) -> str:
    raw = {"base_url": f"{upstream.url}/v1?v=1", **config}
    assert api.post("/integration", {"name": "acme", "config": raw}).status == 201
    account = {"integration_name": "acme", "tenant_id": "t1", "context": {"org": "o/1"}}
    return str(api.post("/integrated-account", account).body["id"])


def child(**parts: JSON) -> list[JsonObject]:
    return [USERS, {"resource": "notes", "method": "list", "depends_on": "users", **parts}]


@pytest.mark.parametrize(
    ("placeholder", "sent"),
    [
        ("{{resources.users.@id}}", "u%2F1"),
        ("{{resources.users.$ref}}", "r%202"),
        ("{{resources.users.#text}}", "t"),
        ("{{resources.users.@odata.etag}}", "W%2F%223%22"),
        ("{{resources.users.tags[0].id}}", "4"),
        ('{{ resources.users["a b"].`c.d` }}', "50%25"),
        ("{{resources.users.absent?:%2F}}", "%252F"),
    ],
)
def test_a_childs_placeholders_reach_every_key(api: Caller, upstream: Upstream, placeholder: str, sent: str) -> None:
    upstream.answers("/v1/users", reply([ODD]))
    account_id = connect(api, upstream)
    job = {"integration_name": "acme", "resources": child(query={"of": placeholder})}
    job_id = api.post("/sync-job", job).body["id"]

    body = {"sync_job_id": job_id, "integrated_account_id": account_id}
    tried = api.post("/sync-job-run?dry_run=true", body).body["resources"]

    notes = next(one for one in tried if one["name"] == "notes")
    assert notes["request"]["url"] == f"{upstream.url}/v1/notes?v=1&of={sent}"


UNREADABLE = "{{x[y]}}"
PARTS: list[tuple[JsonObject, str]] = [
    ({"id": UNREADABLE}, "id"),
    ({"query": {"a": ["b", UNREADABLE]}}, "query.a.1"),
    ({"query": {UNREADABLE: 1}}, f"query.{UNREADABLE}"),
    ({"body": {"a": f"b{UNREADABLE}"}}, "body.a"),
    ({"body": f"<x>{UNREADABLE}</x>"}, "body"),
    ({"body": "{{unclosed"}, "body"),
    ({"loop_on": UNREADABLE}, "loop_on"),
    ({"recurse": {"if": UNREADABLE, "config": {"id": "1"}}}, "recurse.if"),
    ({"recurse": {"if": "true", "config": {"id": UNREADABLE, "query": {"a": UNREADABLE}}}}, "recurse.config.id"),
    ({"recurse": {"if": "true", "config": {"query": {"a": UNREADABLE}}}}, "recurse.config.query.a"),
]


@pytest.mark.parametrize(("part", "at"), PARTS)
def test_an_item_with_a_placeholder_that_can_not_be_read_is_refused(api: Caller, part: JsonObject, at: str) -> None:
    body = {"integration_name": "", "resources": [{**USERS, **part}]}

    answer = api.post("/sync-job", body)

    assert answer.status == 400
    assert f"resources.0.{at}" in answer.paths


@pytest.mark.parametrize("key", ["mutex_key", "state_key"])
def test_a_runs_key_with_a_placeholder_that_can_not_be_read_is_refused(api: Caller, key: str) -> None:
    answer = api.post("/sync-job", {"integration_name": "", "resources": [USERS], key: UNREADABLE})

    assert answer.status == 400
    assert key in answer.paths


def methods(**method: JSON) -> JsonObject:
    return {"resources": {"r": {"list": method}}}


def signed(**parts: JSON) -> JsonObject:
    return {"credentials": {"oauth2": {"auth": {"tokenHost": "https://id.test"}, **parts}}}


CONFIGS: list[tuple[JsonObject, str]] = [
    ({"base_url": f"https://{UNREADABLE}.test"}, "base_url"),
    ({"query": {"a": UNREADABLE}}, "query.a"),
    ({"headers": {"A": UNREADABLE}}, "headers.A"),
    ({"authorization": {"format": "bearer", "config": {"token": UNREADABLE}}}, "authorization.config.token"),
    (
        {"authorization": {"format": "header", "header_name": "A", "header_value": UNREADABLE}},
        "authorization.header_value",
    ),
    ({"authorization": {"format": "basic", "username": UNREADABLE}}, "authorization.username"),
    (methods(path=f"/r/{UNREADABLE}"), "resources.r.list.path"),
    (methods(base_url=f"https://{UNREADABLE}.test"), "resources.r.list.base_url"),
    (methods(query={"a": UNREADABLE}), "resources.r.list.query.a"),
    (methods(headers={"A": UNREADABLE}), "resources.r.list.headers.A"),
    (methods(body={"a": UNREADABLE}), "resources.r.list.body.a"),
    (methods(body="{{unclosed"), "resources.r.list.body"),
    (methods(authorization={"format": "bearer", "token": UNREADABLE}), "resources.r.list.authorization.token"),
    (signed(client={"id": UNREADABLE}), "credentials.oauth2.client.id"),
    (signed(client={"id": "c", "secret": UNREADABLE}), "credentials.oauth2.client.secret"),
    (signed(auth={"tokenHost": UNREADABLE}), "credentials.oauth2.auth.tokenHost"),
    (signed(tokenParams={"audience": UNREADABLE}), "credentials.oauth2.tokenParams.audience"),
]


@pytest.mark.parametrize(("parts", "at"), CONFIGS)
def test_a_config_with_a_placeholder_that_can_not_be_read_is_refused(api: Caller, parts: JsonObject, at: str) -> None:
    config = {"base_url": "https://up.test", **parts}

    answer = api.post("/integration", {"name": "acme", "config": config})

    assert (answer.status, answer.paths) == (400, [f"config.{at}"])
    assert any("{{" in failure["message"] for failure in answer.body["details"]["failures"])


@pytest.mark.parametrize("arrays", ["repeat", "brackets", "indices", "comma"])
def test_a_request_is_the_same_tried_called_and_shown(api: Caller, upstream: Upstream, arrays: str) -> None:
    targets: list[str] = []

    def answer(request: Any) -> Any:
        targets.append(request.target)
        return reply([])

    upstream.answers("/v1/users", answer)
    path = "/users?expand[]=a&expand[]=b&org={{context.org}}"
    account_id = connect(api, upstream, query_array_format=arrays, resources={"users": {"list": {"path": path}}})
    item = {**USERS, "query": {"ids": [1, 2], "f": {"g": "h/i"}}}
    job_id = api.post("/sync-job", {"integration_name": "acme", "resources": [item]}).body["id"]
    run = {"sync_job_id": job_id, "integrated_account_id": account_id}

    shown = api.post("/sync-job-run?dry_run=true", run).body["resources"][0]["request"]["url"]
    called = api.call("GET", f"/proxy/users?integrated_account_id={account_id}&f[g]=h/i&ids[]=1&ids[]=2")

    assert called.status == 200
    assert targets == [shown.removeprefix(upstream.url)] * 2
    assert "expand[]=a&expand[]=b&org=o/1&f%5Bg%5D=h%2Fi&ids" in targets[0]
