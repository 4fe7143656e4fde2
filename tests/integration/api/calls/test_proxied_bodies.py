"""``/proxy`` and ``/custom`` carry what is no JSON, and call every method that a config names."""

import orjson
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.engine.json_types import JSON, JsonObject
from tests.integration.api.calling import Caller
from tests.support.http_server import Request, Response
from tests.support.upstream import Upstream, reply, reply_raw

PICTURE = b"\x89PNG\r\n\x1a\n\x00\xff"
RESOURCES = {
    "people": {
        "search": {"method": "post", "path": "/people/search", "response_path": "found"},
        "merge": {"method": "put", "path": "/people/{{id}}/merge", "body": {"with": "{{body.with}}"}},
        "sync": {"method": "delete", "path": "/people/cache"},
        "pages": {
            "path": "/people/pages",
            "pagination": {"format": "cursor", "config": {"cursor_path": "next", "cursor_param": "after"}},
            "response_path": "data",
        },
        "get": {"response_path": ""},
        "create": {"response_path": ""},
    },
    "files": {"get": {}, "create": {}, "update": {}, "preview": {"path": "/files/{{id}}/preview"}},
}


class Account:
    """Calls one account."""

    def __init__(self, app: Flask, api: Caller, account: JsonObject) -> None:
        self._app, self._api, self.id = app, api, account["id"]

    def call(self, method: str, path: str, data: bytes = b"", kind: str = "", **query: JSON) -> TestResponse:
        headers = {**self._api.headers, **({"Content-Type": kind} if kind else {})}
        client, asked = self._app.test_client(), {"integrated_account_id": self.id, **query}
        return client.open(path, method=method, headers=headers, query_string=asked, data=data)

    def post(self, path: str, body: JSON, **query: JSON) -> TestResponse:
        return self.call("POST", path, orjson.dumps(body), "application/json", **query)


@pytest.fixture
def account(app: Flask, api: Caller, upstream: Upstream) -> Account:
    config = {
        "base_url": upstream.url,
        "authorization": {"format": "bearer"},
        "headers": {"Content-Type": "application/json", "X-Key": "{{api_key}}"},
        "response_path": "data",
        "error_expression": "response.failed ? {'message': response.failed, 'status': 418}",
        "resources": RESOURCES,
    }
    assert api.post("/integration", {"name": "acme", "config": config}).status == 201
    context = {"api_key": "canary-key", "access_token": "canary-token"}
    made = api.post("/integrated-account", {"integration_name": "acme", "tenant_id": "t", "context": context})
    return Account(app, api, made.body)


def echo(request: Request) -> Response:
    return reply({"method": request.method, "body": orjson.loads(request.body or b"null"), "query": request.query})


def test_method_is_called_by_its_name(account: Account, upstream: Upstream) -> None:
    found = [{"id": 1}, {"id": 2}]
    upstream.answers("/people/search", lambda request: reply({"found": found if request.query else found[0]}))
    upstream.answers("/people/7/merge", lambda request: reply({"data": orjson.loads(request.body)}))
    upstream.answers("/people/cache", reply_raw(b"", status=204))
    upstream.answers("/people/pages", reply({"data": found, "next": None}))

    many = account.post("/proxy/people/search", {"name": "a"}, deep="yes")
    one = account.post("/proxy/people/search", {})
    merge = account.post("/proxy/people/merge", {"id": 7, "with": "8"})
    merged_too = account.post("/proxy/people/merge", {"with": "8"}, id="7")
    emptied = account.post("/proxy/people/sync", {})
    paged = account.post("/proxy/people/pages", {})

    assert [answer.status_code for answer in (many, one, merge, merged_too, emptied, paged)] == [200] * 6
    assert (many.get_json(), one.get_json()) == (found, found[0])
    assert merge.get_json() == merged_too.get_json() == {"with": "8"}
    assert (emptied.get_json(), paged.get_json()["result"], paged.get_json()["next_cursor"]) == ({}, found, None)
    assert [request.method for request in upstream.requests] == ["POST", "POST", "PUT", "PUT", "DELETE", "GET"]
    assert "id" not in upstream.requests[3].query


def test_usual_methods_are_called_by_their_names_too(account: Account, upstream: Upstream) -> None:
    upstream.answers("/people", lambda request: reply({"data": [1]}) if request.method == "GET" else echo(request))
    upstream.answers("/people/7", echo)

    listed = account.post("/proxy/people/list", {}, limit="5")
    made = account.post("/proxy/people/create", {"name": "Eve"})
    got = account.post("/proxy/people/get", {}, id="7")

    assert (listed.get_json()["result"], listed.get_json()["limit"]) == ([1], 5)
    assert (made.status_code, made.get_json()["body"]) == (200, {"name": "Eve"})
    assert (got.get_json()["method"], got.get_json()["query"]) == ("GET", {})


def test_method_that_is_not_there_is_told(account: Account, upstream: Upstream) -> None:
    answer = account.post("/proxy/people/vanish", {})

    assert (answer.status_code, "vanish" in answer.get_json()["message"], upstream.requests) == (422, True, [])


@pytest.mark.parametrize(
    ("kind", "data", "query"),
    [
        (
            "multipart/form-data; boundary=abc",
            b'--abc\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--abc--',
            {},
        ),
        ("image/png", PICTURE, {}),
        ("application/octet-stream", PICTURE, {"truto_body_passthrough": ""}),
        ("application/xml", b"<a/>", {}),
        ("application/json", b'{ "spaced":  1}', {"truto_body_passthrough": "true"}),
        ("text/plain", b"two words", {"truto_body_passthrough": "true"}),
    ],
)
def test_body_that_is_no_json_is_sent_as_it_is(
    account: Account, upstream: Upstream, kind: str, data: bytes, query: dict[str, str]
) -> None:
    for path in ("/files", "/files/7", "/files/7/preview", "/raw"):
        upstream.answers(path, reply({"data": {"ok": True}}))

    answers = [
        account.call("POST", "/proxy/files", data, kind, **query),
        account.call("PATCH", "/proxy/files/7", data, kind, **query),
        account.call("POST", "/proxy/files/preview", data, kind, id="7", **query),
        account.call("POST", "/custom/raw", data, kind, **query),
    ]

    assert [answer.status_code for answer in answers] == [201, 200, 200, 200]
    assert [(request.body, request.headers.get("content-type")) for request in upstream.requests] == [(data, kind)] * 4
    assert all("truto_body_passthrough" not in request.query for request in upstream.requests)
    assert [request.headers["authorization"] for request in upstream.requests] == ["Bearer canary-token"] * 4


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("", {}),
        ("text/plain;charset=UTF-8", {}),
        ("application/x-www-form-urlencoded", {}),
        ("application/merge-patch+json", {}),
        ("image/png", {"truto_body_passthrough": "false"}),
    ],
)
def test_what_clients_call_otherwise_is_json_all_the_same(
    account: Account, upstream: Upstream, kind: str, query: dict[str, str]
) -> None:
    upstream.answers("/people", echo)

    answer = account.call("POST", "/proxy/people", b' [{"a": 1}]', kind, **query)

    assert (answer.status_code, answer.get_json()["body"]) == (201, [{"a": 1}])


@pytest.mark.parametrize(
    ("path", "data", "kind", "query", "status", "said"),
    [
        ("/proxy/people", b"{", "", {}, 400, "the body is not JSON"),
        ("/proxy/people", b"x", "", {"truto_body_passthrough": "yes"}, 400, "expected true or false"),
        ("/custom/people", b"x", "", {"truto_body_passthrough": "1"}, 400, "expected true or false"),
        ("/proxy/people/merge", PICTURE, "image/png", {"id": "7"}, 400, "the integration's config makes the body"),
        ("/proxy/files", b"x" * (1024 * 1024 + 1), "image/png", {}, 413, "the body is larger than"),
        ("/unified/crm/contacts", PICTURE, "image/png", {}, 400, "take JSON"),
    ],
)
def test_body_that_can_not_be_sent_is_told(
    account: Account,
    upstream: Upstream,
    path: str,
    data: bytes,
    kind: str,
    query: dict[str, str],
    status: int,
    said: str,
) -> None:
    answer = account.call("POST", path, data, kind, **query)

    assert (answer.status_code, said in answer.get_json()["message"], upstream.requests) == (status, True, [])


def test_file_comes_as_it_is(account: Account, upstream: Upstream) -> None:
    named = {"Content-Type": "application/pdf", "Content-Disposition": 'attachment; filename="a.pdf"'}
    upstream.answers("/files/1", Response(body=PICTURE, headers=named))
    upstream.answers("/files/2", reply_raw(b"kept as it is", "text/plain"))
    upstream.answers("/files/3", reply_raw(b'{"data": {"id": 3}}', "application/octet-stream"))
    upstream.answers("/files/4", reply_raw(b"{\\rtf1 text}", "application/octet-stream"))
    upstream.answers("/files", reply_raw(b"stored", "text/plain"))
    upstream.answers("/files/1/preview", reply_raw(PICTURE, "image/png"))

    pdf, text, record, other = (account.call("GET", f"/proxy/files/{number}") for number in (1, 2, 3, 4))
    made, preview = account.post("/proxy/files", {}), account.post("/proxy/files/preview", {"id": "1"})

    assert (pdf.status_code, pdf.data, pdf.content_type) == (200, PICTURE, "application/pdf")
    assert pdf.headers["Content-Disposition"] == 'attachment; filename="a.pdf"'
    assert pdf.headers["X-Content-Type-Options"] == "nosniff"
    assert (text.data, text.mimetype) == (b"kept as it is", "text/plain")
    assert record.get_json() == {"id": 3}
    assert (other.data, other.content_type) == (b"{\\rtf1 text}", "application/octet-stream")
    assert (made.status_code, made.data, preview.data) == (201, b"stored", PICTURE)


def test_file_shows_no_credential(account: Account, upstream: Upstream) -> None:
    told = {"Content-Type": "text/csv", "Content-Disposition": "attachment; filename=canary-token.csv"}
    upstream.answers("/files/1", Response(body=b"key,canary-key\xff", headers=told))

    answer = account.call("GET", "/proxy/files/1")

    assert (answer.data, answer.headers["Content-Disposition"]) == (b"key,***\xff", "attachment; filename=***.csv")


def test_page_in_the_place_of_a_record_is_an_error(account: Account, upstream: Upstream) -> None:
    upstream.answers("/files/1", reply_raw(b"<h1>Sign in</h1>", "text/html"))
    upstream.answers("/files/2", reply({"failed": "softly"}))

    page, soft = (account.call("GET", f"/proxy/files/{number}") for number in (1, 2))

    assert (page.status_code, "is not JSON" in page.get_json()["message"]) == (502, True)
    assert (soft.status_code, "softly" in soft.get_json()["message"]) == (418, True)
