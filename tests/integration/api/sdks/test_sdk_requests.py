"""The requests of both official SDKs, byte for byte as they leave them, and what the SDKs read of the answers.

TypeScript's sends ``a[0]=`` and an empty ``next_cursor=``, doubles slashes when its base URL ends with one, and lets
bodies that it has written itself go as text. Python's sends ``a[]=``, a JSON content type without a body, and "None".
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from app.api.resources.services import ApiServices
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from tests.integration.api.calling import Caller, Catalog
from tests.support.unified import MAPPINGS, MODEL
from tests.support.upstream import Upstream, reply

_TEXT = "text/plain;charset=UTF-8"
_JSON = "application/json"

_ENVELOPE = {"result", "next_cursor", "limit"}
_RUN = {
    *("id", "environment_id", "sync_job_id", "integrated_account_id", "status", "args", "resources", "daemon_id"),
    *("daemon_group_key", "webhook_id", "error_handling", "ignore_previous_run", "version", "previous_run_date"),
    *("resource_stats", "created_at", "updated_at", "started_at", "finished_at", "sync_job"),
}
_JOB = {"id", "integration_name", "args_schema", "resources", "environment_id", "created_at", "updated_at"}
_TRIGGER = {
    *("id", "sync_job_id", "integrated_account_id", "cron_expression", "environment_id", "created_at", "updated_at"),
}
_WEBHOOK = {"id", "environment_id", "target_url", "is_active", "created_at", "updated_at"}
_ACCOUNT = {"id", "environment_id", "tenant_id", "status", "authentication_method", "created_at", "updated_at"}
_INTEGRATION = {"id", "name", "config", "version", "created_at", "updated_at"}


@dataclass(frozen=True)
class Sdk:
    """Sends requests as one SDK does."""

    app: Flask
    token: str
    sends_json_without_body: bool
    """Python's says that there is JSON where there is no body."""

    def send(self, method: str, target: str, body: JSON = None, *, raw: bytes | None = None, kind: str = _JSON) -> Any:
        """Send ``target`` as it is, doubled slashes, brackets and all; give the answer's JSON."""
        path, _, query = target.partition("?")
        headers = {"Authorization": f"Bearer {self.token}"}
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else b""
        if data or self.sends_json_without_body:
            headers["Content-Type"] = kind
        response = self.app.test_client().open(
            method=method,
            headers=headers,
            data=data,
            environ_overrides={"PATH_INFO": path, "QUERY_STRING": query, "CONTENT_LENGTH": str(len(data))},
        )
        assert response.status_code in (200, 201), (target, response.get_data(as_text=True))
        assert response.content_type == _JSON
        return response.get_json()

    def pages(self, target: str) -> Iterator[list[JsonObject]]:
        """Go from page to page as both do: by ``next_cursor`` as long as there is one."""
        joint, cursor = "&" if "?" in target else "?", ""
        while True:
            page = self.send("GET", f"{target}{joint}next_cursor={quote(cursor)}")
            assert page.keys() >= _ENVELOPE
            assert page["result"] or page["next_cursor"] is None, "Python's takes an empty page for the end"
            yield page["result"]
            if not page["next_cursor"]:
                return
            cursor = page["next_cursor"]


@pytest.fixture(params=["typescript", "python"])
def sdk(request: pytest.FixtureRequest, app: Flask, services: ApiServices, environment_id: EnvironmentId) -> Sdk:
    _, secret = services.tokens.create(environment_id, "sdk")
    return Sdk(app, secret, sends_json_without_body=request.param == "python")


@pytest.fixture
def listing(sdk: Sdk) -> Callable[[str], list[JsonObject]]:
    return lambda target: [item for page in sdk.pages(target) for item in page]


def test_sync_jobs(sdk: Sdk, catalog: Catalog, listing: Callable[[str], list[JsonObject]]) -> None:
    body = {
        "integration_name": "acme",
        "default_runtime_version": "4",
        "args_schema": {"since": {"type": "string"}},
        "resources": [{"resource": "users", "method": "list", "persist": True}],
    }
    made = sdk.send("POST", "/sync-job", body)
    assert made.keys() >= _JOB

    assert {job["id"] for job in listing("/sync-job?limit=1&integration_name=acme")} == {made["id"], catalog.job["id"]}
    assert sdk.send("GET", f"/sync-job/{made['id']}?").keys() >= _JOB
    assert sdk.send("PATCH", f"/sync-job/{made['id']}", {"label": "renamed"})["label"] == "renamed"
    assert sdk.send("DELETE", f"/sync-job/{made['id']}") == {"id": made["id"]}


def test_sync_job_runs(sdk: Sdk, catalog: Catalog, listing: Callable[[str], list[JsonObject]]) -> None:
    """Typed bodies hold fields that the SDK has no value for, and a status that only the server decides."""
    body = {
        **catalog.run_body,
        **{"status": "created", "daemon_id": None, "daemon_group_key": "", "version": 4, "super_query": None},
        **{"events_to_send": None, "datastore_id": None, "args": {}},
    }
    made = [sdk.send("POST", "/sync-job-run", body) for _ in range(3)]
    assert all(run.keys() >= _RUN and run["status"] == "created" for run in made)
    assert made[0]["sync_job"].keys() >= _JOB
    ids = [run["id"] for run in made]

    account = catalog.account["id"]
    for query in (
        f"integrated_account_id={account}&limit=1",
        f"sync_job_id={catalog.job['id']}&limit=2&unknown[deep][er]=x&flag=true",
        "status=created&sort=-created_at&limit=1",
        "status[]=created&limit=2" if sdk.sends_json_without_body else "status[0]=created&limit=2",
        "status%5Bin%5D=created,running&limit=2",
        "created_at[gt]=2020-01-01T00:00:00&limit=2",
        "created_at%5Bgt%5D=2020-01-01T00%3A00%3A00.000Z&created_at[lt]=2100-01-01T00:00:00%2B00:00",
    ):
        assert [run["id"] for run in listing(f"/sync-job-run?{query}")] == ids[::-1], query
    shown = sdk.send("GET", f"/sync-job-run/{ids[0]}")
    assert (shown.keys() >= _RUN, shown["resource_stats"].keys()) == (True, {"users"})
    stopped = sdk.send("PATCH", f"/sync-job-run/{ids[0]}", {"status": "stopped", "started_at": None})
    assert (stopped["id"], stopped["status"]) == (ids[0], "stopped")
    assert sdk.send("DELETE", f"/sync-job-run/{ids[1]}") == {"id": ids[1]}
    assert sdk.send("GET", f"/sync-job-run/{ids[1]}")["status"] == "stopped"


def test_cron_triggers(sdk: Sdk, catalog: Catalog, listing: Callable[[str], list[JsonObject]]) -> None:
    made = sdk.send("POST", "/sync-job-cron-trigger", {**catalog.run_body, "cron_expression": "0 3 * * *"})
    assert made.keys() >= _TRIGGER

    # TypeScript's schedule forgets its slash, so its base URL ends with one, and every other path begins with two.
    assert sdk.send("POST", f"/sync-job-cron-trigger/{made['id']}/schedule") == {"success": True}
    assert [one["id"] for one in listing(f"//sync-job-cron-trigger?sync_job_id={catalog.job['id']}")] == [made["id"]]
    assert sdk.send("GET", f"//sync-job-cron-trigger/{made['id']}").keys() >= _TRIGGER
    changed = sdk.send("PATCH", f"//sync-job-cron-trigger/{made['id']}", {"cron_expression": "0 4 * * *"})
    assert changed["cron_expression"] == "0 4 * * *"
    assert sdk.send("DELETE", f"//sync-job-cron-trigger/{made['id']}") == {"id": made["id"]}


def test_webhooks(sdk: Sdk, listing: Callable[[str], list[JsonObject]], receiver: Callable[[int], str]) -> None:
    made = sdk.send("POST", "/webhook", {"target_url": receiver(200), "is_active": True})
    assert made.keys() >= _WEBHOOK | {"secret"}

    # TypeScript's writes this body itself, and fetch() then calls it text.
    kind = _JSON if sdk.sends_json_without_body else _TEXT
    raw = json.dumps({"id": made["id"]}).encode()
    assert sdk.send("POST", "/webhook/test", raw=raw, kind=kind) == {"success": True}
    assert [one["id"] for one in listing("/webhook?is_active=true")] == [made["id"]]
    assert "secret" not in sdk.send("GET", f"/webhook/{made['id']}")
    assert sdk.send("PATCH", f"/webhook/{made['id']}", {"is_active": False})["is_active"] is False
    assert sdk.send("DELETE", f"/webhook/{made['id']}") == {"id": made["id"]}


def test_integrations_and_accounts(sdk: Sdk, listing: Callable[[str], list[JsonObject]]) -> None:
    integration = sdk.send("POST", "/integration", {"name": "beta", "config": {"base_url": "https://beta.example.com"}})
    assert integration.keys() >= _INTEGRATION
    installed = sdk.send("POST", "/environment-integration", {"integration_id": integration["id"]})
    assert installed["integration_id"] == integration["id"]
    body = {"tenant_id": "t", "environment_integration_id": installed["id"], "authentication_method": "api_key"}
    account = sdk.send("POST", "/integrated-account", {**body, "context": {"api_key": "canary"}})
    assert account.keys() >= _ACCOUNT
    assert "canary" not in json.dumps(account)

    assert [one["id"] for one in listing("/integration?name=beta")] == [integration["id"]]
    assert [one["id"] for one in listing("/integrated-account?integration.name=beta&tenant_id=t")] == [account["id"]]
    assert sdk.send("GET", f"/integrated-account/{account['id']}").keys() >= _ACCOUNT
    assert sdk.send("PATCH", f"/integrated-account/{account['id']}", {"tenant_id": "u"})["tenant_id"] == "u"
    token = sdk.send("POST", "/integrated-account/token", {"integrated_account_id": account["id"]})
    assert token.keys() == {"integrated_account_token"}
    wanted = "methods[]=read&tags[]=" if sdk.sends_json_without_body else "methods[0]=read&tags="
    assert listing(f"/integrated-account/{account['id']}/tools?{wanted}") == []
    assert sdk.send("DELETE", f"/integrated-account/{account['id']}") == {"id": account["id"]}
    # Python's uninstall; Ferryman lets go of an installation's override, not of the integration.
    assert sdk.send("DELETE", f"/environment-integration/{installed['id']}") == {"id": installed["id"]}
    assert sdk.send("DELETE", f"/integration/{integration['id']}") == {"id": integration["id"]}


def test_what_is_only_listed(sdk: Sdk, listing: Callable[[str], list[JsonObject]]) -> None:
    assert listing("/daemon") == []
    assert [token["name"] for token in listing("/api-token?limit=25")] == ["sdk"]
    assert len(listing("/environment?")) == 1
    assert listing("/sync-job-template") == []
    assert sdk.send("GET", "/ping")


def test_unified_and_proxy_calls(sdk: Sdk, api: Caller, upstream: Upstream) -> None:
    pagination = {"format": "cursor", "config": {"cursor_path": "next_cursor", "cursor_param": "cursor"}}
    config = {"base_url": upstream.url, "pagination": pagination, "response_path": "data", "resources": {"people": {}}}
    assert api.post("/integration", {"name": "acme", "config": config}).status == 201
    account = api.post("/integrated-account", {"integration_name": "acme", "tenant_id": "t"}).body["id"]
    model = api.post("/unified-model", MODEL).body
    for (resource, method), mapping in MAPPINGS.items():
        place = {"resource_name": resource, "method_name": method, "integration_name": "acme"}
        api.post("/unified-model-resource-method", {**place, "unified_model_id": model["id"], "config": mapping})
    upstream.lists("/people", [{"id": number, "name": f"n{number}"} for number in range(3)], page_size=2)

    for target, name in ((f"/unified/{MODEL['name']}/contacts", "unified"), ("/proxy/people", "proxy")):
        page = sdk.send("GET", f"{target}?integrated_account_id={account}&next_cursor=")
        assert page.keys() >= {"result", "next_cursor", "prev_cursor", "result_count"}, name
        following = quote(str(page["next_cursor"]))
        rest = sdk.send("GET", f"{target}?integrated_account_id={account}&next_cursor={following}")
        assert (len(page["result"]), len(rest["result"]), rest["next_cursor"]) == (2, 1, None), name


def test_custom_calls(sdk: Sdk, api: Caller, upstream: Upstream) -> None:
    """TypeScript's forgets its slash, so that two stand before the path, and writes its body itself."""
    assert api.post("/integration", {"name": "acme", "config": {"base_url": upstream.url}}).status == 201
    account = api.post("/integrated-account", {"integration_name": "acme", "tenant_id": "t"}).body["id"]
    upstream.answers("/v1/search", reply({"found": 1}))

    kind = _JSON if sdk.sends_json_without_body else _TEXT
    path = "/custom/v1/search" if sdk.sends_json_without_body else "//custom//v1/search"
    answer = sdk.send("POST", f"{path}?integrated_account_id={account}&a[]=1", raw=b'{"q": "x"}', kind=kind)

    assert answer == {"found": 1}
    assert (upstream.requests[0].body, upstream.requests[0].query) == (b'{"q":"x"}', {"a[]": "1"})


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/sync-job-run/0190f0f0-0000-7000-8000-00000000000b", 404),
        ("/sync-job-run/not-an-id", 404),
        ("/sync-job-run?limit=many", 400),
        ("/daemon-job", 404),
    ],
)
def test_errors_keep_their_reason(api: Caller, target: str, status: int) -> None:
    """Python's raises the reason alone, TypeScript's the status, the reason and the body."""
    answer = api.call("GET", target)

    assert (answer.status, answer.body["statusCode"]) == (status, status)
    assert answer.body["error"] == {400: "Bad Request", 404: "Not Found"}[status]
    assert answer.body["message"]
