"""The official Python SDK itself, pointed at a whole running Ferryman: every call that it offers.

What Ferryman does not serve is listed with the reason, and answered so that the SDK's user sees what is wrong.
"""

import asyncio
import inspect
import re
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from aiohttp import ClientResponseError
from truto_python_sdk import TrutoApi

from app.client import ApiClient, ApiError
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.status import FINAL_RUN_STATUSES
from app.stack.stack import Stack
from tests.support.ferryman import new_token
from tests.support.http_server import Request, Response
from tests.support.receiver import Receiver
from tests.support.unified import CONTACT, MAPPINGS, MODEL
from tests.support.upstream import Upstream, numbered, reply, reply_raw

API_DOCUMENT: Final = (Path(__file__).parents[4] / "docs" / "api.md").read_text()
SOMETHING: Final = "0190f0f0-0000-7000-8000-00000000000b"

NOT_SERVED: Final = {
    "alarms": "alerts are a matter of the metrics at /metrics",
    "batch_requests": "a run without a job: make a job, and run it",
    "categories": "integrations are the operator's own, and few",
    "daemon_job_cron_triggers": "programs of a customer's daemons, which Ferryman does not have",
    "daemon_job_runs": "programs of a customer's daemons, which Ferryman does not have",
    "daemon_jobs": "programs of a customer's daemons, which Ferryman does not have",
    "daemons.create": "daemons enrol themselves when they start",
    "daemons.delete": "daemons enrol themselves when they start",
    "daemons.update": "daemons enrol themselves when they start",
    "datastores": "records go to Postgres or to a webhook",
    "documentations": "documentation of integrations for end users",
    "environment_integration_webhooks": "events of third parties are not received",
    "integrated_account_webhooks": "events of third parties are not received",
    "link_tokens": "the page on which end users connect their accounts is yours",
    "mcp": "no tools for language models",
    "sandbox_integrated_accounts": "an account of a test environment does the same",
    "static_gates": "pages that Ferryman does not serve",
    "teams": "whoever runs Ferryman is the only team",
    "users": "tokens call, not users",
    "workflow_runs": "what happens after a run is its webhook's matter",
    "workflows": "what happens after a run is its webhook's matter",
}
BROKEN: Final = {"unified_api.custom_method", "proxy_api.custom_method"}
"""What the SDK itself can not send: it raises TypeError before."""

Test = Callable[..., Coroutine[Any, Any, None]]


def in_a_loop(test: Test) -> Callable[..., None]:
    """Run a test that awaits."""

    @wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run


@pytest.fixture
def token(ferryman: Stack) -> str:
    """A token of an environment of the test's own."""
    return new_token(ferryman.database_url)


@pytest.fixture
def sdk(ferryman: Stack, token: str) -> TrutoApi:
    return TrutoApi(token=token, base_url=ferryman.api_url)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


async def installed(sdk: TrutoApi, upstream: Upstream, **config: Any) -> tuple[JsonObject, JsonObject]:
    """Make an integration and an account of it."""
    pagination = {"format": "cursor", "config": {"cursor_path": "next_cursor", "cursor_param": "cursor"}}
    described = {"base_url": upstream.url, "pagination": pagination, "response_path": "data", **config}
    integration = await sdk.integrations.create({"name": f"acme-{new_id()}", "config": described})
    account = {"tenant_id": "t", "integration_name": integration["name"], "context": {"api_key": "canary"}}
    return integration, await sdk.integrated_accounts._import(account)


async def made_job(sdk: TrutoApi, integration: JsonObject, **fields: Any) -> JsonObject:
    resources = [{"resource": "users", "method": "list", "persist": True}]
    job: JsonObject = await sdk.sync_jobs.create(
        {"integration_name": integration["name"], "resources": resources, **fields}
    )
    return job


async def ended(sdk: TrutoApi, run: JsonObject) -> JsonObject:
    """Ask for a run until it has ended."""
    async with asyncio.timeout(60):
        while run["status"] not in FINAL_RUN_STATUSES:
            await asyncio.sleep(0.05)
            run = await sdk.sync_job_runs.get(run["id"])
    return run


@in_a_loop
async def test_ping(sdk: TrutoApi) -> None:
    assert await sdk.ping() == {"ping": "pong"}


@in_a_loop
async def test_sync_jobs(sdk: TrutoApi, upstream: Upstream) -> None:
    integration, _ = await installed(sdk, upstream)
    made = [await made_job(sdk, integration, label=label) for label in ("a", "b", "c")]
    names = {"integration_name": integration["name"]}

    assert [job["label"] for job in await sdk.sync_jobs.list(**names, limit=1).to_array()] == ["c", "b", "a"]
    assert [job["label"] async for job in sdk.sync_jobs.list(sort="label", limit=2, **names)] == ["a", "b", "c"]
    assert await sdk.sync_jobs.get(made[0]["id"]) == made[0]
    assert (await sdk.sync_jobs.update(made[0]["id"], {"label": "renamed"}))["label"] == "renamed"
    assert await sdk.sync_jobs.delete(made[0]["id"]) == {"id": made[0]["id"]}
    assert len(await sdk.sync_jobs.list().to_array()) == 2


@in_a_loop
async def test_sync_job_runs(sdk: TrutoApi, upstream: Upstream) -> None:
    upstream.lists("/users", numbered("user", 5), page_size=2)
    integration, account = await installed(sdk, upstream)
    job = await made_job(sdk, integration)
    body = {"sync_job_id": job["id"], "integrated_account_id": account["id"], "daemon_group_key": "default"}

    began = datetime.now(UTC)
    runs = [await ended(sdk, await sdk.sync_job_runs.create(body)) for _ in range(3)]

    assert [(run["status"], run["sync_job"]["id"]) for run in runs] == [("completed", job["id"])] * 3
    assert runs[0]["resource_stats"]["users"]["list"]["persisted"] == 5
    ids = [run["id"] for run in reversed(runs)]
    for narrowed in ({"sync_job_id": job["id"]}, {"status": ["completed", "failed"]}, {"created_at": {"lt": began}}):
        found = [run["id"] for run in await sdk.sync_job_runs.list(**narrowed, limit=1).to_array()]
        assert found == ([] if "created_at" in narrowed else ids), narrowed
    pages = sdk.sync_job_runs.list(limit=2, integrated_account_id=account["id"])
    assert [[run["id"] for run in await pages.next_page()] for _ in range(2)] == [ids[:2], ids[2:]]
    assert await sdk.sync_job_runs.delete(ids[0]) == {"id": ids[0]}
    with pytest.raises(ClientResponseError) as gone:
        await sdk.sync_job_runs.get(ids[0])
    assert (gone.value.status, gone.value.message) == (404, f"Not Found: sync job run '{ids[0]}' does not exist")


@in_a_loop
async def test_run_is_stopped_by_an_update(sdk: TrutoApi, upstream: Upstream) -> None:
    upstream.lists("/users", numbered("user", 5))
    gate = upstream.gate("/users")
    integration, account = await installed(sdk, upstream)
    job = await made_job(sdk, integration)
    run = await sdk.sync_job_runs.create({"sync_job_id": job["id"], "integrated_account_id": account["id"]})
    await asyncio.to_thread(gate.wait_for_request)

    stopped = await sdk.sync_job_runs.update(run["id"], {"status": "stopped", "finished_at": None})

    assert (stopped["id"], stopped["status"]) == (run["id"], "stopped")
    assert await sdk.sync_job_runs.delete(run["id"]) == {"id": run["id"]}


@in_a_loop
async def test_cron_triggers(sdk: TrutoApi, upstream: Upstream) -> None:
    integration, account = await installed(sdk, upstream)
    job = await made_job(sdk, integration)
    body = {"sync_job_id": job["id"], "integrated_account_id": account["id"], "cron_expression": "0 3 * * *"}
    made = await sdk.sync_job_cron_triggers.create(body)

    assert await sdk.sync_job_cron_triggers.schedule(made["id"]) == {"success": True}
    assert (await sdk.sync_job_cron_triggers.get(made["id"]))["enabled"] is True
    changed = await sdk.sync_job_cron_triggers.update(made["id"], {"cron_expression": "0 4 * * *"})
    assert (changed["cron_expression"], changed["enabled"]) == ("0 4 * * *", False)
    listed = await sdk.sync_job_cron_triggers.list(sync_job_id=job["id"]).to_array()
    assert [trigger["id"] for trigger in listed] == [made["id"]]
    assert await sdk.logs.list(log_type="sync_job_cron_trigger", sync_job_cron_trigger_id=made["id"]).to_array() == []
    assert await sdk.sync_job_cron_triggers.delete(made["id"]) == {"id": made["id"]}


@in_a_loop
async def test_webhooks(sdk: TrutoApi, upstream: Upstream, hook: Receiver) -> None:
    upstream.lists("/users", numbered("user", 2))
    integration, account = await installed(sdk, upstream)
    job = await made_job(sdk, integration)
    made = await sdk.webhooks.create({"target_url": hook.url, "is_active": True})
    hook.secret = made["secret"]

    assert await sdk.webhooks.test(made["id"]) == {"success": True}
    run = {"sync_job_id": job["id"], "integrated_account_id": account["id"], "webhook_id": made["id"]}
    assert (await ended(sdk, await sdk.sync_job_runs.create(run)))["status"] == "completed"
    assert (hook.events[0], [record["id"] for record in hook.records("users")]) == ("test", ["user-1", "user-2"])
    assert [webhook["id"] for webhook in await sdk.webhooks.list(is_active=True).to_array()] == [made["id"]]
    assert "secret" not in await sdk.webhooks.get(made["id"])
    assert (await sdk.webhooks.update(made["id"], {"is_active": False}))["is_active"] is False
    assert await sdk.webhooks.delete(made["id"]) == {"id": made["id"]}


@in_a_loop
async def test_integrations_and_what_an_environment_lays_over_them(sdk: TrutoApi, upstream: Upstream) -> None:
    integration, account = await installed(sdk, upstream)
    id = integration["id"]

    assert [one["id"] for one in await sdk.integrations.list(name=integration["name"]).to_array()] == [id]
    assert (await sdk.integrations.get(id))["config"]["base_url"] == upstream.url
    changed = await sdk.integrations.update(id, {"config": {"label": "Acme"}, "version": integration["version"]})
    assert (changed["config"]["label"], changed["version"]) == ("Acme", integration["version"] + 1)
    environmental = await sdk.integrations.install(id)
    assert environmental["is_enabled"] is True
    override = {"headers": {"X-Region": "eu"}}
    updated = await sdk.environment_integrations.update(environmental["id"], {"override": override})
    assert await sdk.environment_integrations.get(environmental["id"]) == updated
    assert [one["override"] for one in await sdk.environment_integrations.list().to_array()] == [override]
    assert await sdk.integrations.uninstall(environmental["id"]) == {"id": environmental["id"]}
    await sdk.integrated_accounts.delete(account["id"])
    assert await sdk.integrations.delete(id) == {"id": id}


@in_a_loop
async def test_integrated_accounts(sdk: TrutoApi, upstream: Upstream) -> None:
    oauth = {"client": {"id": "c", "secret": "s"}, "auth": {"tokenHost": upstream.url, "tokenPath": "/token"}}
    upstream.answers("/token", reply({"access_token": "new-token", "expires_in": 3600}))
    integration, _ = await installed(
        sdk, upstream, credentials={"format": "oauth2", "config": oauth}, non_secret=["context.region"]
    )
    environmental = await sdk.integrations.install(integration["id"])
    held = {"access_token": "old-token", "refresh_token": "old-refresh", "expires_at": "2999-01-01T00:00:00Z"}
    body = {"tenant_id": "u", "environment_integration_id": environmental["id"], "authentication_method": "oauth2"}
    made = await sdk.integrated_accounts._import({**body, "context": {"oauth": {"token": held}}})

    merge_token = await sdk.integrated_accounts.refresh_credentials(made["id"])
    assert merge_token["context"]["oauth"]["token"]["expires_at"] < held["expires_at"]
    assert (await sdk.integrated_accounts.get(made["id"]))["status"] == "active"
    query = {"tenant_id": "u", "integration.name": integration["name"], "environment_id": made["environment_id"]}
    assert [one["id"] for one in await sdk.integrated_accounts.list(**query).to_array()] == [made["id"]]
    changed = await sdk.integrated_accounts.update(made["id"], {"context": {"region": "eu"}})
    assert changed["context"]["region"] == "eu"
    assert await sdk.integrated_accounts.delete(made["id"]) == {"id": made["id"]}


@in_a_loop
async def test_post_install_actions_are_refused_in_words(sdk: TrutoApi, upstream: Upstream) -> None:
    _, account = await installed(sdk, upstream)

    with pytest.raises(ClientResponseError, match="there are none") as refused:
        await sdk.integrated_accounts.run_post_install_actions(account["id"])

    assert refused.value.status == 400


@in_a_loop
async def test_custom_api_by_the_token_of_an_account(sdk: TrutoApi, upstream: Upstream) -> None:
    upstream.answers("/things/1", lambda request: reply({"asked": request.method, **request.query}))
    _, account = await installed(sdk, upstream)
    made = await sdk.integrated_accounts.create_integrated_account_token(account["id"])
    by_account, query = TrutoApi(made["integrated_account_token"], sdk.base_url), {"deep": "yes"}

    own = {"integrated_account_id": account["id"]}
    assert await by_account.custom_api.get("things/1", **query) == {"asked": "GET", "deep": "yes"}
    assert await sdk.custom_api.get("things/1", **own) == {"asked": "GET"}
    assert await sdk.custom_api.post("things/1", {"a": 1}, **own) == {"asked": "POST"}
    assert await sdk.custom_api.put("things/1", {"a": 1}, **own) == {"asked": "PUT"}
    assert await sdk.custom_api.patch("things/1", {"a": 1}, **own) == {"asked": "PATCH"}
    assert await sdk.custom_api.delete("things/1", **own) == {"asked": "DELETE"}
    assert [request.body for request in upstream.requests[2:5]] == [b'{"a":1}'] * 3


@in_a_loop
async def test_unified_models(sdk: TrutoApi) -> None:
    model = await sdk.unified_models.create(MODEL)

    assert [one["id"] for one in await sdk.unified_models.list(name=MODEL["name"]).to_array()] == [model["id"]]
    changed = await sdk.unified_models.update(model["id"], {"category": "sales", "version": model["version"]})
    assert await sdk.unified_models.get(model["id"]) == changed
    environmental = await sdk.unified_models.install(model["id"])
    override = {"resources": {"contacts": {"description": "Ours"}}}
    updated = await sdk.environment_unified_models.update(environmental["id"], {"override": override})
    assert await sdk.environment_unified_models.get(environmental["id"]) == updated
    assert [one["override"] for one in await sdk.environment_unified_models.list().to_array()] == [override]
    assert await sdk.unified_models.uninstall(environmental["id"]) == {"id": environmental["id"]}
    assert await sdk.unified_models.delete(model["id"]) == {"id": model["id"]}


async def called(sdk: TrutoApi, token: str, upstream: Upstream) -> JsonObject:
    """Make an account whose API has people, with a unified model of them; give the query of its calls."""
    whole = {method: {"response_path": ""} for method in ("get", "create", "update")}
    integration, account = await installed(sdk, upstream, resources={"people": whole})
    model = await sdk.unified_models.create(MODEL)
    api = ApiClient(sdk.base_url, token)
    update = {"resource": "people", "response_mapping": CONTACT, "request_body_mapping": '{"name": body.name}'}
    for (resource, method), mapping in {**MAPPINGS, ("contacts", "update"): update}.items():
        place = {"resource_name": resource, "method_name": method, "integration_name": integration["name"]}
        # The SDK has no call for mappings.
        api.post("/unified-model-resource-method", {**place, "unified_model_id": model["id"], "config": mapping})

    def person(request: Request) -> Response:
        if request.method == "DELETE":
            return reply_raw(b"", status=204)
        return reply({"id": 2, "name": "n2", **(orjson.loads(request.body) if request.body else {})})

    people = [{"id": number, "name": f"n{number}"} for number in range(3)]
    upstream.lists("/people", people, page_size=2)
    listing = upstream._answers["/people"]
    upstream.answers("/people", lambda request: person(request) if request.method == "POST" else listing(request))
    upstream.answers("/people/2", person)
    return {"integrated_account_id": account["id"]}


@in_a_loop
async def test_unified_api(sdk: TrutoApi, token: str, upstream: Upstream) -> None:
    query, at = await called(sdk, token, upstream), (MODEL["name"], "contacts")

    assert [one["id"] for one in await sdk.unified_api.list(*at, dict(query)).to_array()] == ["0", "1", "2"]
    assert (await sdk.unified_api.get(*at, "2", query))["name"] == "n2"
    assert (await sdk.unified_api.create(*at, {"name": "Eve"}, query))["name"] == "Eve"
    assert (await sdk.unified_api.update(*at, "2", {"name": "Eva"}, query))["name"] == "Eva"
    assert await sdk.unified_api.delete(*at, "2", query) == {"id": "2"}
    assert [request.method for request in upstream.requests] == ["GET", "GET", "GET", "POST", "PATCH", "DELETE"]


@in_a_loop
async def test_proxy_api(sdk: TrutoApi, token: str, upstream: Upstream) -> None:
    query = await called(sdk, token, upstream)

    assert [one["id"] for one in await sdk.proxy_api.list("people", dict(query)).to_array()] == [0, 1, 2]
    assert await sdk.proxy_api.get("people", "2", query) == {"id": 2, "name": "n2"}
    assert await sdk.proxy_api.create("people", {"name": "Eve"}, query) == {"id": 2, "name": "Eve"}
    assert await sdk.proxy_api.update("people", "2", {"name": "Eva"}, query) == {"id": 2, "name": "Eva"}
    assert await sdk.proxy_api.delete("people", "2", query) == {"id": "2"}


@in_a_loop
async def test_what_is_only_shown(sdk: TrutoApi) -> None:
    (environment,) = await sdk.environments.list().to_array()
    (token,) = await sdk.api_tokens.list().to_array()
    daemons = await sdk.daemons.list(limit=1, group_key="default").to_array()

    assert await sdk.environments.get(environment["id"]) == environment
    assert (await sdk.api_tokens.get(token["id"]))["environment_id"] == environment["id"]
    assert len(daemons) >= 2
    assert (await sdk.daemons.get(daemons[0]["id"]))["group_key"] == "default"


def offered(sdk: TrutoApi) -> dict[str, Callable[..., Any]]:
    """Every call of the SDK that sends something: ``resource.method`` to the method."""
    found = {}
    for name, resource in vars(sdk).items():
        if type(resource).__module__.startswith("truto_python_sdk."):
            methods = inspect.getmembers(resource, inspect.ismethod)
            own = {method for method, _ in methods if method == "_import" or not method.startswith("_")}
            found |= {f"{name}.{method}": bound for method, bound in methods if method in own}
    return found


def is_served(call: str) -> bool:
    return not {call, call.partition(".")[0]} & {*NOT_SERVED, *BROKEN}


def test_every_call_of_the_sdk_is_made_here_or_known_not_to_be_served(sdk: TrutoApi) -> None:
    made = set(re.findall(r"sdk\.(\w+\.\w+)\(", Path(__file__).read_text()))
    calls = offered(sdk)

    assert {call for call in calls if is_served(call)} == made
    named = {call.partition(".")[0] for call in calls} | calls.keys()
    assert [call for call in (*NOT_SERVED, *BROKEN) if call not in named] == []


@in_a_loop
async def test_what_is_not_served_is_answered_by_a_clear_error(sdk: TrutoApi, token: str) -> None:
    unclear = []
    api = ApiClient(sdk.base_url, token)
    for call, method in offered(sdk).items():
        if is_served(call) or call in BROKEN:
            continue
        answer = method(*arguments_of(method))
        with pytest.raises(ClientResponseError) as refused:
            await (answer.to_array() if hasattr(answer, "to_array") else answer)
        request = refused.value.request_info
        # The SDK lets the body of an error go.
        with pytest.raises(ApiError) as told:
            api.call(request.method, request.url.path, None if request.method == "GET" else {})
        clear = {404: f"there is nothing at {request.url.path}: ", 405: f"{request.method} is not offered here: "}
        if clear.get(refused.value.status, "nothing else") not in told.value.message:
            unclear.append((call, refused.value.status, told.value.message))

    assert unclear == []


def arguments_of(method: Callable[..., Any]) -> list[Any]:
    """Make what a method can not do without: a text for each text, an object for each other thing."""
    needed = [one for one in inspect.signature(method).parameters.values() if one.default is one.empty]
    return [SOMETHING if one.annotation is str else {} for one in needed if one.kind is not one.VAR_KEYWORD]


@pytest.mark.parametrize("call", sorted(BROKEN))
def test_what_the_sdk_can_not_send_itself_it_still_can_not(sdk: TrutoApi, call: str) -> None:
    method = offered(sdk)[call]

    with pytest.raises(TypeError):
        method(*arguments_of(method))


def test_example_of_the_document_works(ferryman: Stack, token: str, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?TrutoApi.*?)```", API_DOCUMENT, re.DOTALL)
    here = example.replace("frm_...", token).replace("http://127.0.0.1:8000", ferryman.api_url)
    assert here.count("\n") == 5

    exec(compile(here, "docs/api.md", "exec"), {})

    assert capsys.readouterr().out == "[]\n"
