"""``/custom/{path}``: an account's API as it is, and nothing beside it."""

import orjson
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.engine.json_types import JSON, JsonObject
from tests.integration.api.calling import Caller
from tests.support.upstream import Upstream, reply, reply_raw


class Passing:
    """Calls one account by /custom."""

    def __init__(self, app: Flask, api: Caller, account: JsonObject) -> None:
        self._app, self._api, self.account_id = app, api, account["id"]

    def call(self, method: str, target: str, body: JSON = None) -> TestResponse:
        path, _, query = target.partition("?")
        address = f"/custom/{path}?integrated_account_id={self.account_id}&{query}"
        sent = {"json": body} if body is not None else {}
        return self._app.test_client().open(address, method=method, headers=self._api.headers, **sent)


@pytest.fixture
def passing(app: Flask, api: Caller, upstream: Upstream) -> Passing:
    config = {
        "base_url": f"{upstream.url}/api/v2",
        "authorization": {"format": "bearer"},
        "headers": {"X-Key": "{{api_key}}", "Accept-Language": "de"},
        "query": {"version": "7"},
        "error_expression": "response.failed ? {'message': response.failed, 'status': 418}",
    }
    assert api.post("/integration", {"name": "acme", "config": config}).status == 201
    context = {"api_key": "canary-key", "access_token": "canary-token"}
    account = {"integration_name": "acme", "tenant_id": "t", "context": context}
    return Passing(app, api, api.post("/integrated-account", account).body)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_call_is_passed_on_with_credentials_headers_query_and_body(
    passing: Passing, upstream: Upstream, method: str
) -> None:
    upstream.answers("/api/v2/people/7", reply({"ok": True}, status=202))

    answer = passing.call(method, "people/7?a[b]=1&c=x%20y", None if method == "GET" else [1, {"x": None}])

    assert (answer.status_code, answer.content_type, answer.get_json()) == (202, "application/json", {"ok": True})
    (request,) = upstream.requests
    assert (request.method, request.query) == (method, {"version": "7", "a[b]": "1", "c": "x y"})
    assert (request.headers["authorization"], request.headers["x-key"]) == ("Bearer canary-token", "canary-key")
    assert request.headers["accept-language"] == "de"
    assert request.body == (b"" if method == "GET" else orjson.dumps([1, {"x": None}]))


def test_answer_comes_as_it_is(passing: Passing, upstream: Upstream) -> None:
    upstream.answers("/api/v2/page", reply_raw(b"<h1>\xff</h1>", "text/html; charset=latin-1"))
    upstream.answers("/api/v2/nothing", reply_raw(b"", status=204))
    upstream.answers("/api/v2/untold", reply_raw(b"x", "caf\u00e9"))

    page, nothing, untold = (passing.call("GET", path) for path in ("page", "nothing", "untold"))

    assert (page.data, page.content_type) == (b"<h1>\xff</h1>", "text/html; charset=latin-1")
    assert page.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert (nothing.status_code, nothing.data) == (204, b"")
    assert (untold.data, untold.content_type) == (b"x", "application/octet-stream")


def test_text_is_sent_as_json_and_no_body_as_none(passing: Passing, upstream: Upstream) -> None:
    upstream.answers("/api/v2/notes", reply({}))

    passing.call("POST", "notes", "two words")
    passing.call("POST", "notes")

    assert [request.body for request in upstream.requests] == [b'"two words"', b""]


def test_ids_keep_their_encoded_slashes_and_slashes_at_the_front_are_one(passing: Passing, upstream: Upstream) -> None:
    upstream.answers("/api/v2/projects/a%2Fb", reply({}))
    upstream.answers("/api/v2/people", reply({}))

    assert passing.call("GET", "projects/a%2Fb").status_code == 200
    assert passing.call("GET", "/people").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "..%2F..%2Fadmin",
        "people/%2e%2e/%2e%2e/admin",
        "people/%252e%252e/admin",
        "%2F%2Fevil.test/x",
        "//evil.test/x",
        "http://evil.test/x",
        "http:%2F%2Fevil.test/x",
        "..%5Cadmin",
    ],
)
def test_path_that_leads_elsewhere_is_a_400(passing: Passing, upstream: Upstream, path: str) -> None:
    answer = passing.call("GET", path)

    assert (answer.status_code, answer.get_json()["details"]["failures"][0]["path"]) == (400, "path")
    assert upstream.requests == []


def test_refusal_of_the_api_has_the_form_of_all_errors_and_no_secret(passing: Passing, upstream: Upstream) -> None:
    upstream.answers("/api/v2/people", reply({"reason": "no", "seen": "canary-key canary-token"}, 409))
    upstream.answers("/api/v2/soft", reply({"failed": "softly"}))

    hard, soft = passing.call("POST", "people", {}), passing.call("GET", "soft")

    assert (hard.status_code, hard.get_json()["raw_response"]["reason"]) == (409, "no")
    assert hard.get_json()["truto_is_remote_error"] is True
    assert "canary" not in hard.get_data(as_text=True)
    assert (soft.status_code, "softly" in soft.get_json()["message"]) == (418, True)


def test_redirect_to_another_origin_is_not_followed(passing: Passing, upstream: Upstream) -> None:
    other = Upstream()
    upstream.answers("/api/v2/moved", reply({}, 302, {"Location": f"{other.url}/x"}))
    upstream.answers("/api/v2/old", reply({}, 302, {"Location": "/api/v2/new"}))
    upstream.answers("/api/v2/new", reply({"new": 1}))

    refused, followed = passing.call("GET", "moved"), passing.call("GET", "old")

    assert (refused.status_code, other.requests) == (400, [])
    assert followed.get_json() == {"new": 1}
    other.close()


def test_token_that_the_api_refuses_leaves_the_account_in_need(
    passing: Passing, api: Caller, upstream: Upstream
) -> None:
    upstream.answers("/api/v2/people", reply({}, 401))
    upstream.answers("/api/v2/secret", reply({}, 403))

    forbidden, refused = passing.call("GET", "secret"), passing.call("GET", "people")

    assert (forbidden.status_code, refused.status_code) == (403, 401)
    account = api.get(f"/integrated-account/{passing.account_id}").body
    assert account["status"] == "needs_reauth"
    assert (account["last_forbidden_error"]["resource"], account["last_forbidden_error"]["method"]) == ("custom", "get")


@pytest.mark.parametrize("body", [b"no json", b"\xff", b'{"a": "\\u0000"}'])
def test_body_that_is_no_json_is_a_400(passing: Passing, app: Flask, api: Caller, body: bytes) -> None:
    address = f"/custom/x?integrated_account_id={passing.account_id}"

    answer = app.test_client().post(address, data=body, headers=api.headers)

    assert answer.status_code == 400


def test_account_has_to_be_named(api: Caller, stranger: Caller, passing: Passing) -> None:
    assert api.get("/custom/x").status == 400
    assert api.get("/custom/x", **{"a": "\0"}).status == 400
    assert stranger.get("/custom/x", integrated_account_id=passing.account_id).status == 404
