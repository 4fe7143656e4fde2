"""Behind a proxy that adds a path, every place is named below it; pages of other origins call where a setting lets."""

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.application import create_app
from app.api.resources.services import ApiServices
from app.engine.objects.environments import EnvironmentId
from app.settings import Settings
from tests.integration.api.calling import CONFIG, RESOURCES, Caller, Catalog

VIA = {
    "X-Forwarded-For": "192.0.2.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "api.example.com",
    "X-Forwarded-Prefix": "/ferryman",
}
PAGE = "https://app.example.com"


@pytest.fixture
def served(services: ApiServices, settings: Settings) -> Callable[..., Flask]:
    """Make an application whose settings differ."""
    return lambda **changes: create_app(services, replace(settings, **changes))


@pytest.fixture
def client(served: Callable[..., Flask]) -> FlaskClient:
    return served(trusted_proxies="127.0.0.1", cors_origins=f"{PAGE}, http://localhost:3000").test_client()


@pytest.fixture
def proxied(client: FlaskClient, services: ApiServices, environment_id: EnvironmentId) -> Caller:
    _, secret = services.tokens.create(environment_id, "behind a proxy")
    caller = Caller(client, secret)
    caller.headers |= VIA
    return caller


def places(caller: Caller, catalog: Catalog) -> dict[str, str]:
    """Create one thing of each kind; tell where each is, by its kind."""
    job = {"integration_name": "acme", "resources": RESOURCES}
    trigger = {**catalog.run_body, "cron_expression": "0 3 * * *"}
    template = caller.post(
        "/sync-job-template", {"label": "nightly", "resources": RESOURCES, "integration_name": "acme"}
    )
    bodies = {
        "/integration": {"name": "other", "config": CONFIG},
        "/integrated-account": {"integration_name": "acme", "tenant_id": "t2"},
        "/sync-job": job,
        "/sync-job-run": catalog.run_body,
        "/sync-job-cron-trigger": trigger,
        "/sync-job-run-state": {"state_key": "s", "key": "a b", "value": 1},
        "/webhook": {"target_url": "https://hooks.example.com/"},
        "/api-token": {"name": "another", "role": "read"},
        f"/sync-job-template/{template.body['id']}/sync-job": {},
    }
    answers = {path: caller.post(path, body) for path, body in bodies.items()} | {"/sync-job-template": template}
    assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(answers, 201)
    return {path: answer.headers["Location"] for path, answer in answers.items()}


def test_every_place_of_a_new_thing_is_below_the_prefix(proxied: Caller, api: Caller, catalog: Catalog) -> None:
    found = places(proxied, catalog)

    assert all(place.startswith("/ferryman/") for place in found.values()), found
    for place in found.values():
        assert api.call("GET", place.removeprefix("/ferryman")).status == 200
    assert (
        api.post("/sync-job", {"integration_name": "acme", "resources": RESOURCES})
        .headers["Location"]
        .startswith("/sync-job/")
    )


def test_document_and_page_name_the_url_that_their_reader_used(proxied: Caller, client: FlaskClient) -> None:
    page, script = client.get("/docs", headers=VIA).text, client.get("/docs/start.js", headers=VIA).text

    assert proxied.get("/openapi.json").body["servers"][0]["url"] == "https://api.example.com/ferryman"
    assert proxied.get("/").body["docs"] == "/ferryman/docs"
    assert 'src="/ferryman/docs/start.js"' in page
    assert 'href="/docs' not in page
    assert 'url: "/ferryman/openapi.json"' in script


def test_without_the_setting_nobody_is_believed(app: Flask) -> None:
    client = app.test_client()

    assert client.get("/openapi.json", headers=VIA).json["servers"][0]["url"] == "http://localhost"
    assert 'url: "/openapi.json"' in client.get("/docs/start.js", headers=VIA).text


def test_log_names_the_client_and_not_the_proxy(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "app.api.access.gate"):
        client.get("/healthz", headers=VIA)

    requests = [record for record in caplog.records if record.name == "app.api.access.gate"]
    assert [vars(record)["client"] for record in requests] == ["192.0.2.7"]


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
def test_page_of_an_allowed_origin_may_call(client: FlaskClient, origin: str) -> None:
    asking = {"Origin": origin, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}

    preflight = client.options("/sync-job/1", headers=asking)
    refused = client.get("/sync-job", headers={"Origin": origin})

    assert (preflight.status_code, refused.status_code) == (204, 401)
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
    assert preflight.headers["Access-Control-Allow-Headers"] == "if-match"
    for answer in (preflight, refused):
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "X-Request-Id" in refused.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", f"{PAGE}.evil.com", "http://app.example.com"])
def test_page_of_another_origin_may_not(client: FlaskClient, origin: str) -> None:
    asking = {"Origin": origin, "Access-Control-Request-Method": "GET"}

    for answer in (client.options("/sync-job", headers=asking), client.get("/healthz", headers=asking)):
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.headers["Vary"]


def test_every_page_may_call_where_that_is_set(served: Callable[..., Flask], app: Flask) -> None:
    asking = {"Origin": "null", "Access-Control-Request-Method": "GET"}
    open_to_all = served(cors_origins="*").test_client()

    assert open_to_all.options("/sync-job", headers=asking).headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Origin" not in app.test_client().options("/sync-job", headers=asking).headers
