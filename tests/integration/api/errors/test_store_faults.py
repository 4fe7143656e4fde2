"""What the API answers when Postgres fails in the middle of a request, by each fault that passes."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.api.application import create_app
from app.bootstrap.api import build_api_services
from app.services.runs.conflicts import TRIES
from app.settings import Settings
from tests.integration.api.calling import CONFIG, RESOURCES, Caller
from tests.support.fault_proxy import FaultProxy, running_proxy
from tests.support.servers import PostgresServer

READ_ONLY = "25006"
ENDING = ["57P01", "57P02", "57P03", "57P05", "08006"]
STAYING = ["53100", "53200", "53300", "25P03", "25P04", "55P03", "57014", "58030", "26000", "42P05", "40003"]
CONFLICTS = ["40001", "40P01"]


@pytest.fixture(scope="module")
def proxy(postgres_server: PostgresServer) -> Iterator[FaultProxy]:
    with running_proxy(postgres_server.socket) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def caller(proxy: FaultProxy, settings: Settings) -> Iterator[Caller]:
    """An API whose way to Postgres leads through the proxy, with a run's job and account."""
    behind = replace(settings, database_url=proxy.url(settings.database_url), publish_timeout_seconds=0.1)
    services = build_api_services(behind)
    environment = services.environments.create("faults").id
    _, secret = services.tokens.create(environment, "test")
    yield Caller(create_app(services, behind).test_client(), secret)
    services.close()


@pytest.fixture(scope="module")
def run(caller: Caller) -> dict[str, str]:
    """A valid body of POST /sync-job-run."""
    caller.post("/integration", {"name": "acme", "config": CONFIG})
    account = caller.post("/integrated-account", {"integration_name": "acme", "tenant_id": "t1"}).body
    job = caller.post("/sync-job", {"integration_name": "acme", "resources": RESOURCES}).body
    return {"sync_job_id": job["id"], "integrated_account_id": account["id"]}


@pytest.mark.parametrize("sqlstate", [READ_ONLY, *ENDING, *STAYING, *CONFLICTS])
@pytest.mark.parametrize("way", ["engine", "singles"])
def test_fault_that_passes_is_503_and_over_at_once(
    caller: Caller, proxy: FaultProxy, run: dict[str, str], sqlstate: str, way: str
) -> None:
    path, body, within = (
        ("/sync-job-run", run, "insert into sync_job_run")
        if way == "singles"
        else ("/sync-job", {"integration_name": "acme", "resources": RESOURCES}, "insert into sync_job")
    )

    with proxy.injecting(sqlstate, within=within) as fault:
        refused = caller.post(path, body)
    accepted = caller.post(path, body)

    assert (refused.status, refused.headers["Retry-After"]) == (503, "2"), refused.body
    assert fault.met == (TRIES if sqlstate in CONFLICTS else 1)
    assert accepted.status in {200, 201}, accepted.body


@pytest.mark.parametrize("sqlstate", CONFLICTS)
def test_conflict_with_another_transaction_is_tried_again_in_place(
    caller: Caller, proxy: FaultProxy, run: dict[str, str], sqlstate: str
) -> None:
    with proxy.injecting(sqlstate, within="insert into sync_job", times=2) as fault:
        answer = caller.post("/sync-job", {"integration_name": "acme", "resources": RESOURCES})

    assert (answer.status, fault.met) == (201, 2)


def test_session_that_is_read_only_is_not_used_again(caller: Caller, proxy: FaultProxy, run: dict[str, str]) -> None:
    caller.post("/sync-job-run", run)
    before = proxy.sessions
    caller.post("/sync-job-run", run)
    assert proxy.sessions == before

    with proxy.injecting(READ_ONLY, within="insert into sync_job_run"):
        refused = caller.post("/sync-job-run", run)
    caller.post("/sync-job-run", run)

    assert "read-only" in refused.body["message"]
    assert proxy.sessions > before


def test_questions_are_answered_while_nothing_can_be_changed(
    caller: Caller, proxy: FaultProxy, run: dict[str, str]
) -> None:
    """Even the first one of a token, whose use can not be noted."""
    token = caller.post("/api-token", {"name": "unused", "role": "read"}).body["token"]

    with proxy.injecting(READ_ONLY, within="update ") as fault:
        answer = caller.call("GET", "/sync-job", headers={"Authorization": f"Bearer {token}"})

    assert (answer.status, fault.met) == (200, 1)


def test_fault_of_what_was_asked_does_not_pass(caller: Caller, proxy: FaultProxy, run: dict[str, str]) -> None:
    with proxy.injecting("XX000", within="insert into sync_job_run"):
        answer = caller.post("/sync-job-run", run)

    assert answer.status == 500


@pytest.mark.parametrize(("sqlstate", "told"), [("26000", "FERRYMAN_PREPARE_STATEMENTS=0"), ("42P05", "scaling.md")])
def test_pooler_that_forgets_what_was_prepared_is_told(
    caller: Caller, proxy: FaultProxy, run: dict[str, str], sqlstate: str, told: str
) -> None:
    with proxy.injecting(sqlstate, within="insert into sync_job_run"):
        answer = caller.post("/sync-job-run", run)

    assert told in answer.body["message"]
