"""Unified models, their mappings in layers, and direct calls, over HTTP and a real upstream."""

from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from app.engine.json_types import JSON, JsonObject
from tests.integration.api.calling import Answer, Caller
from tests.support.http_server import Request, Response
from tests.support.unified import MAPPINGS, MODEL
from tests.support.upstream import Upstream, reply, reply_raw

PEOPLE = [{"id": 1, "name": "Ada", "email": "ADA@x.io"}, {"id": 2, "email": {"no": "text"}}, {"id": 3, "name": "Cleo"}]
METHODS = "/unified-model-resource-method"

ELSEWHERE = "0190f0f0-0000-7000-8000-00000000000b"
"""The same in every process: a test's name holds it."""


@dataclass(frozen=True)
class Crm:
    """A unified model with an account whose upstream is a server of the test's."""

    api: Caller
    upstream: Upstream
    account_id: str
    model: JsonObject
    mappings: dict[tuple[str, str], JsonObject]

    def get(self, path: str, **query: JSON) -> Answer:
        return self.api.get(path, integrated_account_id=self.account_id, **query)

    def call(self, method: str, path: str, body: JSON = None) -> Answer:
        return self.api.call(method, f"{path}?integrated_account_id={self.account_id}", body)


def place(resource: str, method: str) -> JsonObject:
    return {"resource_name": resource, "method_name": method, "integration_name": "acme"}


@pytest.fixture
def crm(api: Caller, upstream: Upstream) -> Crm:
    pagination = {"format": "cursor", "config": {"cursor_path": "next", "cursor_param": "after", "limit_param": "size"}}
    config = {
        **{"base_url": upstream.url, "pagination": pagination, "response_path": "data"},
        **{"headers": {"X-Key": "{{api_key}}"}, "resources": {"people": {"get": {"response_path": "person"}}}},
    }
    config["resources"] |= {"people": {"get": {"response_path": "person"}, "create": {"response_path": ""}}}
    assert api.post("/integration", {"name": "acme", "config": config}).status == 201
    context = {"api_key": "canary-key"}
    account = api.post("/integrated-account", {"integration_name": "acme", "tenant_id": "t", "context": context}).body
    model = api.post("/unified-model", MODEL).body
    made = {}
    for (resource, method), mapping in MAPPINGS.items():
        body = {**place(resource, method), "unified_model_id": model["id"], "config": mapping}
        made[resource, method] = api.post(METHODS, body).body
    return Crm(api, upstream, account["id"], model, made)


def people(request: Request) -> Response:
    start = int(request.query.get("after", 0))
    size = int(request.query.get("size", 100))
    more = start + size < len(PEOPLE)
    return reply({"data": PEOPLE[start : start + size], "next": str(start + size) if more else None})


def test_lists_records_mapped_page_by_page_and_tells_which_could_not_be(crm: Crm) -> None:
    crm.upstream.answers("/people", people)

    first = crm.get("/unified/crm/contacts", limit=2, **{"updated_at[gt]": "2024"})
    second = crm.get("/unified/crm/contacts", limit=2, next_cursor=first.body["next_cursor"])

    assert first.status == 200
    assert first.body["result"] == [{"id": "1", "name": "Ada", "emails": [{"email": "ada@x.io"}]}]
    assert (first.body["limit"], first.body["result_count"], first.body["is_partial_response"]) == (2, 1, True)
    assert [(error["code"], error["record_id"]) for error in first.body["errors"]] == [("mapping", "2")]
    assert second.body["result"] == [{"id": "3", "name": "Cleo", "emails": []}]
    assert (second.body["next_cursor"], second.body["is_partial_response"]) == (None, False)
    assert crm.upstream.requests[0].query == {"since": "2024", "type": "person", "size": "2"}


def test_a_list_is_partial_when_the_mapping_says_so_of_the_apis_own_records(crm: Crm) -> None:
    crm.upstream.answers("/people", reply({"data": [PEOPLE[0]], "next": None}))
    expression = "$exists(response.email) and headers.`content-type` = 'application/json'"
    mapping = {"config": {"is_partial_expression": expression}}
    assert crm.api.patch(f"{METHODS}/{crm.mappings['contacts', 'list']['id']}", mapping).status == 200

    answer = crm.get("/unified/crm/contacts")

    assert (answer.status, answer.body["is_partial_response"], "errors" in answer.body) == (200, True, False)


def test_shows_one_record_with_remote_data_on_request_and_without_a_field(crm: Crm) -> None:
    crm.upstream.answers("/people/1", reply({"person": PEOPLE[0]}))

    answer = crm.get("/unified/crm/contacts/1", truto_ignore_remote_data="false", truto_exclude_fields="emails")

    assert (answer.status, answer.body) == (200, {"id": "1", "name": "Ada", "remote_data": PEOPLE[0]})


def test_creates_a_record_by_the_mapped_body_and_removes_it(crm: Crm) -> None:
    crm.upstream.answers("/people", lambda request: reply({"id": 9, **orjson.loads(request.body)}, status=201))
    crm.upstream.answers("/people/9", reply_raw(b"", status=204))

    created = crm.call("POST", "/unified/crm/contacts", {"name": "Eve", "emails": [{"email": "eve@x.io"}]})
    deleted = crm.call("DELETE", "/unified/crm/contacts/9")

    assert (created.status, created.body["id"], created.body["emails"]) == (201, "9", [{"email": "eve@x.io"}])
    assert orjson.loads(crm.upstream.requests[0].body) == {"name": "Eve", "email": "eve@x.io"}
    assert (deleted.status, deleted.body) == (200, {"id": "9"})


def test_an_error_of_the_provider_keeps_its_status_and_words_but_no_secret(crm: Crm) -> None:
    refused = reply({"reason": "name taken", "kind": "dup", "seen": "canary-key"}, 409, {"X-Request-Id": "r1"})
    crm.upstream.answers("/people", refused)

    answer = crm.call("POST", "/unified/crm/contacts", {"name": "Eve"})

    assert (answer.status, answer.body["message"]) == (409, "refused: name taken")
    assert (answer.body["truto_is_remote_error"], answer.body["raw_response"]["kind"]) == (True, "dup")
    assert answer.body["truto_error_insight"]["remote_error"]["value"]["reason"] == "name taken"
    assert "canary-key" not in str(answer.body)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/unified/hr/people", 404),
        ("GET", "/unified/crm/deals", 404),
        ("GET", "/unified/crm/notes/1", 404),
        ("PATCH", "/unified/crm/contacts/1", 404),
        ("GET", "/proxy/unknown", 404),
        ("GET", "/unified/%00/%00", 404),
        ("GET", "/unified/crm/contacts/%00", 400),
        ("POST", "/unified/crm/contacts/%ff", 404),
        ("GET", "/proxy/%00", 400),
        ("GET", "/unified/crm/contacts?a=1&a[b]=2", 400),
        ("GET", "/unified/crm/contacts?limit=0", 400),
        ("GET", "/unified/crm/contacts?next_cursor=made-up", 400),
        ("GET", "/unified/crm/contacts?truto_super_query=x", 422),
    ],
)
def test_tells_what_is_wrong_with_a_direct_call(crm: Crm, method: str, path: str, status: int) -> None:
    separator = "&" if "?" in path else "?"

    answer = crm.api.call(method, f"{path}{separator}integrated_account_id={crm.account_id}")

    assert (answer.status, answer.body["statusCode"]) == (status, status)


@pytest.mark.parametrize(("account_id", "status"), [("", 400), ("x", 400), (ELSEWHERE, 404)])
def test_a_direct_call_needs_an_account_of_the_environment(crm: Crm, account_id: str, status: int) -> None:
    assert crm.api.get("/proxy/people", integrated_account_id=account_id).status == status


def test_a_stranger_reaches_neither_account_nor_model_nor_mapping(crm: Crm, stranger: Caller) -> None:
    mapping = crm.mappings["contacts", "list"]

    answers = [
        stranger.get("/unified/crm/contacts", integrated_account_id=crm.account_id),
        stranger.get(f"/unified-model/{crm.model['id']}"),
        stranger.get(f"{METHODS}/{mapping['id']}"),
        stranger.patch(f"{METHODS}/{mapping['id']}", {"config": {}}),
        stranger.post(METHODS, {**place("contacts", "update"), "unified_model_id": crm.model["id"]}),
        stranger.post("/environment-unified-model", {"unified_model_id": crm.model["id"]}),
    ]

    assert [answer.status for answer in answers] == [404] * len(answers)
    assert stranger.get(METHODS).body["result"] == []


def test_proxied_records_come_as_they_are(crm: Crm) -> None:
    crm.upstream.answers("/people", people)
    crm.upstream.answers("/people/1", reply({"person": PEOPLE[0]}))

    listed, shown = crm.get("/proxy/people"), crm.get("/proxy/people/1")

    assert (listed.body["result"], shown.body) == (PEOPLE, PEOPLE[0])


def test_layers_are_laid_over_each_other(crm: Crm) -> None:
    crm.upstream.answers("/people", people)
    installed = crm.api.post("/environment-unified-model", {"unified_model_id": crm.model["id"]}).body
    again = crm.api.post("/environment-unified-model", {"unified_model_id": crm.model["id"]}).body
    layer = {"config": {"response_mapping": 'response.{"name": name}', "query": {"active": True}}}
    body = {**place("contacts", "list"), "environment_unified_model_id": installed["id"], **layer}

    over = crm.api.post("/environment-unified-model-resource-method", body)
    from_environment = crm.get("/unified/crm/contacts")
    override = {"crm": {"contacts": {"list": {"response_mapping": 'response.{"who": name}', "query": None}}}}
    patched = crm.api.patch(f"/integrated-account/{crm.account_id}", {"unified_model_override": override})
    from_account = crm.get("/unified/crm/contacts")

    assert (over.status, patched.status, again["id"]) == (201, 200, installed["id"])
    assert from_environment.body["result"][0] == {"id": "1", "name": "Ada"}
    assert from_account.body["result"][0] == {"id": "1", "who": "Ada"}
    assert [request.query.get("active") for request in crm.upstream.requests] == ["true", None]


def test_every_fault_of_a_mapping_is_told_with_its_position(crm: Crm) -> None:
    config = {
        **{"response_mapping": '{"a": }', "query_mapping": 5, "response_mapping_method": "rows", "before": [{}]},
        **{"resource": {"expression": "1 +"}, "unheard": 1, "query": {"a": "{{x:date}}"}},
    }
    body = {**place("deals", "list"), "unified_model_id": crm.model["id"], "config": config}

    answer = crm.api.post(METHODS, {**body, "integration_name": "nobody"})

    faults = {fault["path"]: fault["message"] for fault in answer.body["details"]["failures"]}
    assert answer.status == 400
    assert sorted(faults) == [
        *("config.before", "config.query.a", "config.query_mapping", "config.resource.expression"),
        *("config.response_mapping", "config.response_mapping_method", "config.unheard"),
        *("integration_name", "resource_name"),
    ]
    assert "(at character " in faults["config.response_mapping"]


@pytest.mark.parametrize(
    ("resources", "path"),
    [
        ([], "resources"),
        ({"a/b": {}}, "resources.a/b"),
        ({"a": {"schema": {"type": "nonsense"}}}, "resources.a.schema.type"),
        ({"a": {"methods": ["list", 5]}}, "resources.a.methods.1"),
        ({"a": 5}, "resources.a"),
    ],
)
def test_a_model_is_checked_whole(api: Caller, resources: JSON, path: str) -> None:
    answer = api.post("/unified-model", {"name": "bad", "resources": resources})

    assert (answer.status, answer.paths) == (400, [path])


def test_models_and_mappings_are_changed_by_merging_at_the_version_that_was_seen(crm: Crm) -> None:
    path, mapping = f"/unified-model/{crm.model['id']}", crm.mappings["contacts", "list"]

    changed = crm.api.patch(path, {"resources": {"notes": None, "deals": {}}, "version": 1})
    late = crm.api.patch(path, {"description": "x", "version": 1})
    config = {"response_mapping": "response", "query_mapping": None}
    merge = crm.api.patch(f"{METHODS}/{mapping['id']}", {"config": config})
    moved = crm.api.patch(f"{METHODS}/{mapping['id']}", {"method_name": "get"})
    listed = crm.api.get(METHODS, resource_name="contacts", method_name="list")

    assert (changed.status, sorted(changed.body["resources"]), changed.body["version"]) == (
        200,
        ["contacts", "deals"],
        2,
    )
    assert (late.status, late.paths, moved.status, moved.paths) == (400, ["version"], 400, ["method_name"])
    assert merge.body["config"] == {"resource": "people", "response_mapping": "response"}
    assert [one["id"] for one in listed.body["result"]] == [mapping["id"]]


def test_a_model_is_removed_with_its_mappings(crm: Crm) -> None:
    removed = crm.api.delete(f"/unified-model/{crm.model['id']}")

    assert removed.body == {"id": crm.model["id"]}
    assert crm.api.get(METHODS).body["result"] == []
    assert crm.get("/unified/crm/contacts").status == 404


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ("hr/people", "Unified Model not found"),
        ("crm/deals", "Resource deals not found"),
        ("crm/contacts", "has no method 'merge'"),
    ],
)
def test_jobs_over_what_is_not_there_are_refused(crm: Crm, resource: str, message: str) -> None:
    resources = [{"resource": resource, "method": "merge"}]

    answer = crm.api.post("/sync-job", {"integration_name": "acme", "resources": resources})

    assert (answer.status, answer.paths) == (404, ["resources.0.resource"])
    assert message in answer.body["message"]


def test_a_run_over_a_method_that_the_integration_does_not_map_is_refused(crm: Crm) -> None:
    resources = [{"resource": "crm/contacts", "method": "update", "id": "1"}]
    job: Any = crm.api.post("/sync-job", {"integration_name": "acme", "resources": resources}).body

    answer = crm.api.post("/sync-job-run", {"sync_job_id": job["id"], "integrated_account_id": crm.account_id})

    assert (answer.status, answer.paths) == (404, ["resources.0.resource"])
    assert "Resource contacts not found for integration acme" in answer.body["message"]


def remap(crm: Crm, resource: str, method: str, changes: JsonObject) -> None:
    mapping = crm.mappings[resource, method]
    answer = crm.api.patch(f"{METHODS}/{mapping['id']}", {"config": {**MAPPINGS[resource, method], **changes}})
    assert answer.status == 200, answer.body


def test_headers_are_mapped_both_ways_and_a_query_may_be_an_expression(crm: Crm) -> None:
    headers = {"X-Request-Id": "r7", "X-Api-Token": "hidden", "X-Total": "41"}
    crm.upstream.answers("/people", lambda _: reply({"data": [{"id": 1, "name": "Ada"}]}, headers=headers))
    remap(
        crm,
        "contacts",
        "list",
        {
            "query": "{'tenant': context.api_key ? 'known' : 'unknown', 'asked': $exists(query.updated_at)}",
            "request_header_mapping": "{'X-Since': rawQuery.updated_at.gt, 'X-Key': null, 'X-Count': 3}",
            "response_header_mapping": "{'X-Upstream-Id': headers.`x-request-id`, 'X-Rows': $count(response)}",
            "response_mapping": "($h := headers; response.{'id': $string(id), 'total': $h.`x-total`, "
            "'no': $h.`x-api-token`})",
        },
    )

    answer = crm.get("/unified/crm/contacts", **{"updated_at[gt]": "2024"})

    assert (answer.status, answer.body["result"]) == (200, [{"id": "1", "total": "41"}])
    assert (answer.headers["X-Upstream-Id"], answer.headers["X-Rows"]) == ("r7", "1")
    (sent,) = crm.upstream.requests
    assert (sent.query["tenant"], sent.query["asked"]) == ("known", "true")
    assert (sent.headers["x-since"], sent.headers["x-count"], sent.headers.get("x-key")) == ("2024", "3", None)


@pytest.mark.parametrize(
    ("key", "expression"),
    [
        ("request_header_mapping", "{'Host': 'evil.test'}"),
        ("request_header_mapping", "{'X-A': 'a\r\nX-B: b'}"),
        ("request_header_mapping", "{'X A': 'a'}"),
        ("request_header_mapping", "['X-A']"),
        ("response_header_mapping", "{'Set-Cookie': 'a=b'}"),
        ("response_header_mapping", "{'X-A': {'b': 1}}"),
        ("query", "'text'"),
    ],
)
def test_headers_and_queries_that_are_none_are_told(crm: Crm, key: str, expression: str) -> None:
    crm.upstream.answers("/people", people)
    remap(crm, "contacts", "list", {key: expression})

    answer = crm.get("/unified/crm/contacts")

    assert answer.status == 422
    assert answer.body["message"].startswith(key)


def test_methods_are_described_for_an_account_and_nothing_is_called(crm: Crm) -> None:
    remap(
        crm, "contacts", "list", {"query_schema": {"type": "object"}, "description": "Who we know", "query": {"a": "1"}}
    )

    answer = crm.get("/unified/crm/contacts/meta/list")

    assert (answer.status, crm.upstream.requests) == (200, [])
    assert answer.body == {
        **{"unified_model": "crm", "resource": "contacts", "method": "list", "integration_name": "acme"},
        **{"description": "Who we know", "query_schema": {"type": "object"}, "request_body_schema": None},
        **{"response_mapping": MAPPINGS["contacts", "list"]["response_mapping"], "default_query": {"a": "1"}},
        **{"default_body": None, "response_schema": MODEL["resources"]["contacts"]["schema"]},
        "integration": {"resource": "people", "method": "list"},
    }
    assert crm.get("/unified/crm/contacts/meta/update").status == 404
    assert crm.get("/unified/crm/nothing/meta/list").status == 404
    assert crm.api.get("/unified/crm/contacts/meta/list").status == 400


def test_account_shows_the_last_call_that_it_was_forbidden(crm: Crm) -> None:
    crm.upstream.answers("/people", reply({"reason": "no"}, 403))
    path = f"/integrated-account/{crm.account_id}"

    assert crm.get("/unified/crm/contacts").status == 403

    account = crm.api.get(path).body
    forbidden = account["last_forbidden_error"]
    assert (account["status"], forbidden["resource"], forbidden["method"]) == ("active", "people", "list")
    assert forbidden["missing_scopes"] == []
    changed = crm.api.patch(path, {"context": {"api_key": "another-key"}}).body
    assert changed["last_forbidden_error"] is None


def test_account_shows_which_scopes_its_token_lacks(crm: Crm) -> None:
    path, client = f"/integrated-account/{crm.account_id}", {"client": {"id": "c", "secret": "s"}}
    oauth = {**client, "auth": {"tokenHost": crm.upstream.url}, "scope": ["people.read", "people.write", "deals.read"]}
    integration = crm.api.get("/integration", name="acme").body["result"][0]["id"]
    crm.api.patch(f"/integration/{integration}", {"config": {"credentials": {"oauth2": oauth}}})
    crm.api.patch(path, {"context": {"oauth": {"token": {"access_token": "t", "scope": "people.read deals.read"}}}})
    crm.upstream.answers("/people", reply({"reason": "no"}, 403))

    assert crm.get("/unified/crm/contacts").status == 403

    assert crm.api.get(path).body["last_forbidden_error"]["missing_scopes"] == ["people.write"]


def test_headers_of_a_request_are_made_of_its_mapped_body_and_errors_of_what_was_answered(crm: Crm) -> None:
    crm.upstream.answers("/people", reply({"reason": "taken"}, 409))
    remap(
        crm,
        "contacts",
        "create",
        {
            "request_header_mapping": "{'X-Signature': $sign(requestBody.email, 'sha-256', 'k', 'hex')}",
            "error_mapping": "'refused: ' & error.reason",
        },
    )

    answer = crm.call("POST", "/unified/crm/contacts", {"name": "Eve", "emails": [{"email": "eve@x.io"}]})

    assert (answer.status, answer.body["message"]) == (409, "refused: taken")
    assert len(crm.upstream.requests[0].headers["x-signature"]) == 64
