"""What a caller sends is never a template over an account's secrets: an upstream that repeats all of it gives none."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from app.engine.json_types import JSON, JsonObject
from tests.integration.api.calling import Answer, Caller
from tests.support.http_server import HttpServer, Request, Response
from tests.support.upstream import reply

CANARY = "canary-9f3c1e7a"
SECRET = "canary/s3cret&77"
TEMPLATES = [
    "{{context.client_secret}}",
    "{{context:json}}",
    "a {{client_secret:segment}} {{credentials.oauth.token.refresh_token}} b",
]


def echo(request: Request) -> Response:
    """Repeat a request, but for what the integration itself signs it in with."""
    headers = {name: text for name, text in request.headers.items() if name != "authorization"}
    seen = {"id": "1", "target": request.target, "query": request.query, "headers": headers}
    return reply({**seen, "body": request.body.decode()})


@pytest.fixture
def echoing() -> Iterator[HttpServer]:
    server = HttpServer(echo)
    yield server
    server.close()


MAPPINGS = {
    "list": {"query_mapping": "query", "query": {"q": "{{query.q?:none}}"}},
    "get": {"path_mapping": "'/people/' & id"},
    "create": {"request_body_mapping": "body", "request_header_mapping": "{'X-Note': body.note}"},
    "search": {"resource": {"expression": "query.of ? query.of : 'people'"}, "method": "list"},
}


@pytest.fixture
def account_id(api: Caller, echoing: HttpServer) -> str:
    config = {
        "base_url": echoing.url,
        "authorization": {"format": "bearer"},
        "response_format": "object",
        "resources": {
            "signed": {"list": {"path": "/signed?key={{context.client_secret}}"}},
            "things": {"list": {"path": "/things/{{query.of?:all}}", "headers": {"X-Of": "{{query.of?:all}}"}}},
        },
    }
    assert api.post("/integration", {"name": "acme", "config": config}).status == 201
    token = {"access_token": "sign-in-token", "refresh_token": CANARY}
    context = {"client_secret": SECRET, "oauth": {"token": token}}
    account = {"integration_name": "acme", "tenant_id": "t1", "context": context}
    model: JsonObject = {"name": "crm", "resources": {"contacts": {"methods": list(MAPPINGS)}}}
    model_id = api.post("/unified-model", model).body["id"]
    for method, mapping in MAPPINGS.items():
        named = {"resource_name": "contacts", "method_name": method, "integration_name": "acme"}
        body = {"unified_model_id": model_id, **named, "config": {"resource": "people", **mapping}}
        answer = api.post("/unified-model-resource-method", body)
        assert answer.status == 201, answer.body
    return str(api.post("/integrated-account", account).body["id"])


def check(answer: Answer, *, status: int | None = None) -> None:
    assert answer.status < 500, answer.body
    assert status in (None, answer.status), answer.body
    for text in (CANARY, SECRET, quote(SECRET, safe=""), quote(SECRET), "s3cret"):
        assert text not in str(answer.body)


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_field_of_a_direct_call_is_resolved(api: Caller, account_id: str, template: str) -> None:
    written = quote(template, safe="")
    of = f"integrated_account_id={account_id}"

    answers = [
        *(api.call(method, f"/proxy/{written}/{written}?{of}") for method in ("GET", "PATCH", "DELETE")),
        *(api.call(method, f"/proxy/{written}?{of}") for method in ("GET", "POST")),
        *(api.call(method, f"/custom/x/{written}?{of}", {template: template}) for method in ("POST", "PUT", "PATCH")),
        *(api.call(method, f"/custom/{written}?{of}&{written}={written}") for method in ("GET", "DELETE")),
    ]
    echoed = [
        api.get("/proxy/people", integrated_account_id=account_id, **{template: template, "a[b]": template}),
        api.get("/proxy/things", integrated_account_id=account_id, of=template),
        api.post(f"/proxy/people?{of}", {template: template, "a": [template]}),
        api.call("GET", f"/unified/crm/contacts?{of}&q={written}&remote_query[{written}]={written}"),
        api.post(f"/unified/crm/contacts?{of}", {"note": template, template: template}),
        api.post(f"/unified/crm/contacts/search?{of}&q={written}", {"note": template}),
    ]

    for answer in answers:
        check(answer)
    for answer in echoed:
        check(answer)
        assert answer.status in (200, 201, 400), answer.body
    assert template in str(echoed[2].body)
    for answer in (
        api.call("GET", f"/unified/crm/contacts/{written}?{of}"),
        api.post(f"/unified/crm/contacts/search?{of}&of={written}", {}),
        api.call("GET", f"/unified/{written}/{written}/{written}?{of}"),
    ):
        check(answer)


def run_bodies(template: str) -> list[JsonObject]:
    people: JsonObject = {"resource": "people", "method": "list"}
    items: list[JsonObject] = [
        {**people, "query": {"q": template, "list": [template]}},
        {**people, "method": "get", "id": template},
        {**people, "resource": template},
        {**people, "name": template},
        {**people, "loop_on": template},
        {**people, "query": "{'q': context.client_secret, 'w': context.oauth.token, 'bare': client_secret}"},
        {**people, "method": "create", "body": {"note": template}},
        {**people, "method": "create", "body": f"<x>{template}</x>"},
    ]
    return [
        *({"resources": [item]} for item in items),
        {"args": {"q": template, "deep": {"er": [template]}}},
        {"args": {"q": "x"}, "state_key": template},
        {"args": {"q": "x"}, "mutex_key": template},
    ]


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_of_a_run_see_the_context_masked(api: Caller, account_id: str, template: str) -> None:
    schema: JSON = {"q": {"type": "string"}, "deep": {"type": "object"}}
    item = {"resource": "people", "method": "list", "query": {"q": "{{args.q}}", "deep": "{{args.deep:any:undefined}}"}}
    job = {"integration_name": "acme", "resources": [item], "args_schema": schema}
    made = api.post("/sync-job", job)
    assert made.status == 201, made.body
    of = {"sync_job_id": made.body["id"], "integrated_account_id": account_id}

    for body in run_bodies(template):
        check(api.post("/sync-job-run?dry_run=true", {**of, **body}))
        check(api.post("/sync-job-run", {**of, **body, "webhook_id": template}))
        check(api.post("/sync-job-run", {**of, **body}))


def test_a_dry_run_does_not_show_secrets_that_the_upstream_repeats(api: Caller, account_id: str) -> None:
    job = {"integration_name": "acme", "resources": [{"resource": "signed", "method": "list"}]}
    job_id = api.post("/sync-job", job).body["id"]

    answer = api.post("/sync-job-run?dry_run=true", {"sync_job_id": job_id, "integrated_account_id": account_id})

    check(answer, status=200)
    (signed,) = answer.body["resources"]
    assert signed["first_page"]["records"][0]["target"] == "/signed?key=***"
    assert signed["request"]["url"].endswith("/signed?key=***")
