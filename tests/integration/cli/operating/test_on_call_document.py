"""The on-call table of docs/operations.md: what is to be seen is printed, and what is to be done helps.

Three of its faults end what tests share: test_named_faults.py has them. Elsewhere the broker is killed and filled
(tests/integration/workers/nodes/test_survival.py, tests/integration/stack/test_full_broker.py), Postgres
refuses connections (tests/integration/api/errors/test_store_faults.py) and processes are frozen
(tests/integration/store/runs/test_frozen_sessions.py, tests/chaos).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from app.cli.main import main
from app.client import ApiClient
from app.engine.json_types import JsonObject
from app.stack.stack import Stack
from app.store.db.database import connect
from tests.support.ferryman import new_token
from tests.support.http_server import Request, Response
from tests.support.patience import wait_for
from tests.support.receiver import Receiver
from tests.support.upstream import Upstream, numbered, reply
from tests.support.workspace import Sync, Workspace, listed

PAGE = (Path(__file__).parents[4] / "docs" / "operations.md").read_text()
ALERTS = (Path(__file__).parents[4] / "deploy" / "prometheus" / "alerts.yml").read_text()
ROWS = dict(re.findall(r"^\| (.+?) \| (.+) \|$", PAGE.partition("## On call")[2].partition("\n## ")[0], re.MULTILINE))


@dataclass(frozen=True)
class OnCall:
    """A person on call: a workspace, and the command line."""

    url: str
    token: str
    environment: Mapping[str, str]
    """That of the operator."""

    @property
    def workspace(self) -> Workspace:
        return Workspace(ApiClient(self.url, self.token))

    def types(self, command: str, *, exit_code: int = 0, stdin: str = "") -> str:
        """Type a command, and read what it prints."""
        runner = CliRunner(env={"FERRYMAN_URL": self.url, "FERRYMAN_TOKEN": self.token, "COLUMNS": "300"})
        result = runner.invoke(main, command.split(), input=stdin)
        assert result.exit_code == exit_code, result.output
        return " ".join(result.output.split())

    def sees(self, fault: str, run_id: str, *, instead: tuple[str, str] = ("", "")) -> None:
        """Wait until ``run show`` prints what the row of a fault says."""
        (phrase,) = re.findall(r"`(waits for .+?)`", ROWS[fault])
        pattern = re.escape(phrase.replace(*instead)).replace("…", ".+")
        show: Callable[[], object] = lambda: re.search(pattern, self.types(f"run show {run_id}"))  # noqa: E731
        wait_for(show, what=phrase)
        assert re.search(pattern, self.types(f"run why {run_id}"))

    def finds(self, *words: str) -> None:
        """Run the doctor, and read its findings."""
        told = CliRunner(env=self.environment).invoke(main, ["doctor"])
        assert told.exit_code in (1, 2)
        assert [one for one in words if one not in told.output] == [], told.output


def pass_time(ferryman: Stack, table: str, which: str) -> None:
    """Make something two hours older: the doctor says nothing of what passes."""
    engine = connect(ferryman.database_url, pool_size=1)
    with engine.begin() as connection:
        connection.execute(text(f"update {table} set created_at = created_at - interval '2 hours' where {which}"))
    engine.dispose()


@pytest.fixture
def on_call(ferryman: Stack) -> OnCall:
    return OnCall(ferryman.api_url, new_token(ferryman.database_url), ferryman.environment)


@pytest.fixture
def sync(on_call: OnCall, upstream: Upstream) -> Sync:
    upstream.lists("/users", numbered("user", 2))
    return on_call.workspace.sync(upstream.url, [listed("users")])


def test_table_has_the_ten_faults_with_what_is_seen_and_what_to_do() -> None:
    assert len(ROWS.keys() - {"what is wrong", "---"}) == 10


def test_alert_of_each_fault_exists() -> None:
    alerts = re.findall(r"alert: (\w+)", ALERTS)
    named = {fault: re.findall(r"`(Ferryman\w+)`", row) for fault, row in ROWS.items() if fault != "what is wrong"}

    assert [fault for fault, names in named.items() if not names and fault != "---"] == []
    assert {name for names in named.values() for name in names} <= set(alerts)


def test_no_daemon_of_the_group_runs(on_call: OnCall, sync: Sync) -> None:
    run_id = sync.start(daemon_group_key="nobody")

    on_call.sees("no daemon of the group runs", run_id, instead=("default", "nobody"))
    assert "active" not in on_call.types("daemon list --group nobody")
    on_call.finds("runs wait in daemon-group.nobody", "no daemon serves it", "ferryman daemon --group nobody")
    on_call.types(f"run stop {run_id}")


def test_the_upstream_answers_401(on_call: OnCall, upstream: Upstream) -> None:
    def answer(request: Request) -> Response:
        return reply([{"id": 1}]) if request.headers.get("authorization") == "Bearer right" else reply({}, 401)

    upstream.answers("/users", answer)
    config: JsonObject = {"authorization": {"format": "bearer"}}
    sync = on_call.workspace.sync(upstream.url, [listed("users")], config=config, context={"token": "wrong"})
    run = sync.run()

    listed_as, why = on_call.types("account list"), on_call.types(f"run why {run['id']}")
    on_call.finds("need new credentials")
    on_call.types(f"account update {sync.account_id} --context @-", stdin='{"token": "right"}')
    on_call.types(f"run resume {run['id']} --follow")

    assert (run["status"], sync.status(run["id"])) == ("failed", "completed")
    assert "needs_reauth" in listed_as
    assert "It failed with needs_reauth" in why
    assert "`needs_reauth`" in ROWS["the upstream answers 401"]


def test_the_upstream_is_slow(on_call: OnCall, sync: Sync, upstream: Upstream) -> None:
    sync.run()
    gate = upstream.gate("/users")
    run_id = sync.start()
    gate.wait_for_request()

    on_call.sees("the upstream is slow", run_id)
    gate.open()
    assert sync.finished(run_id)["status"] == "completed"


@pytest.mark.parametrize("command", ["account budget reset {account}", "run resume {run}"])
def test_it_answers_429_for_an_hour(on_call: OnCall, sync: Sync, upstream: Upstream, command: str) -> None:
    upstream.answers("/users", reply({}, 429, {"Retry-After": "3600"}))
    run_id = sync.start()
    wait_for(lambda: sync.status(run_id) == "rate_limited")

    budget, why = on_call.types(f"account budget show {sync.account_id}"), on_call.types(f"run why {run_id}")
    on_call.finds("wait for their upstreams' limits")
    upstream.lists("/users", numbered("user", 2))
    on_call.types(command.format(account=sync.account_id, run=run_id))

    assert run_id in budget
    assert "It waits for its upstream, which asked for that, until" in why
    assert sync.finished(run_id)["status"] == "completed"
    assert f"`ferryman {command.format(account='ID', run='ID')}`" in ROWS["it answers 429 for an hour"]


def test_a_webhooks_receiver_is_down(ferryman: Stack, on_call: OnCall, sync: Sync, receiver: Receiver) -> None:
    webhook_id = on_call.workspace.webhook(receiver)
    receiver.answer = lambda _delivery: Response(status=503)
    run_id = sync.start(webhook_id=webhook_id)

    on_call.sees("a webhook's receiver is down", run_id)
    wait_for(lambda: "503" in on_call.types(f"webhook deliveries {webhook_id} --status pending"))
    pass_time(ferryman, "delivery", f"run_id = '{run_id}'")
    on_call.finds("the oldest event has waited for its receiver for")
    receiver.answer = lambda _delivery: Response()
    on_call.types(f"webhook update {webhook_id} --active")
    assert sync.finished(run_id)["status"] == "completed"


def test_a_mapping_quarantines_every_record(on_call: OnCall, sync: Sync) -> None:
    api = on_call.workspace.api
    model = api.post("/unified-model", {"name": "crm", "resources": {"contacts": {"methods": ["list"]}}})
    job = api.get(f"/sync-job/{sync.job_id}")
    mapping: JsonObject = {"resource": "users", "response_mapping": "response.{'id': $lowercase(number)}"}
    place: JsonObject = {"unified_model_id": model["id"], "resource_name": "contacts", "method_name": "list"}
    method = api.post(
        "/unified-model-resource-method",
        {**place, "integration_name": job["integration_name"], "config": mapping},
    )
    api.patch(f"/sync-job/{sync.job_id}", {"resources": [{"resource": "crm/contacts", "method": "list"}]})
    run = sync.run()

    errors, why = on_call.types(f"run errors {run['id']}"), on_call.types(f"run why {run['id']}")
    mended: JsonObject = {"config": {**mapping, "response_mapping": "response.{'id': $string(number)}"}}
    api.patch(f"/unified-model-resource-method/{method['id']}", mended)
    on_call.types(f"run create {sync.job_id} {sync.account_id} --ignore-previous-run --follow")

    stats = run["resource_stats"]["crm/contacts"]["list"]
    assert (run["status"], stats["quarantined"], stats["fetched"]) == ("completed", 2, 2)
    assert "mapping" in errors
    assert "It completed, and 2 requests or records failed; the first with mapping: crm/contacts:" in why
    assert sync.records("crm/contacts").keys() == {"1", "2"}


def test_a_run_waits_for_its_mutex(ferryman: Stack, on_call: OnCall, sync: Sync, upstream: Upstream) -> None:
    gate = upstream.gate("/users")
    first = sync.start(mutex_key="one at a time")
    gate.wait_for_request()
    second = sync.start(mutex_key="one at a time")

    on_call.sees("a run waits for its mutex", second, instead=("…", first))
    pass_time(ferryman, "sync_job_run", f"id = '{second}'")
    on_call.finds(f"run {second} has waited for", f"for run {first}, by their mutex")
    on_call.types(f"run create {sync.job_id} {sync.account_id} --force")
    gate.wait_for_request()
    on_call.types(f"run stop {first}")
    gate.open()
    assert sync.finished(second)["status"] == "completed"
