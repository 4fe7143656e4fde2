"""`ferryman trigger`, `template`, `state` and `connector` against a served API on a real Postgres."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result

from app.cli import log
from app.connectors import CATALOG, list_shipped
from tests.support.served_api import ServedApi, served_api
from tests.support.servers import PostgresServer

RESOURCES = '[{"resource": "users", "method": "list", "persist": true}]'


@dataclass(frozen=True, slots=True)
class Served:
    """An API with a job and an account."""

    api: ServedApi
    job_id: str
    account_id: str

    def ferryman(self, *arguments: str) -> Result:
        return self.api.ferryman(*arguments)

    def shown(self, *arguments: str) -> Any:
        return self.api.shown(*arguments)


@pytest.fixture(scope="module")
def served(postgres_server: PostgresServer) -> Iterator[Served]:
    with served_api(postgres_server) as api:
        services, environment = api.services, api.environment
        services.integrations.create(environment, {"name": "acme", "config": {"base_url": "https://up.test"}})
        account = services.accounts.create(environment, {"integration_name": "acme", "tenant_id": "t"})
        job = services.jobs.create(environment, {"integration_name": "acme", "resources": json.loads(RESOURCES)})
        yield Served(api, job.id, account.id)


def test_trigger_is_created_scheduled_paused_and_removed(served: Served) -> None:
    options = ("--timezone", "Europe/Berlin", "--args", "{}", "--error-handling", "batch", "--group", "blue")
    made = served.shown("trigger", "create", served.job_id, served.account_id, "30 6 * * 1-5", *options)
    assert (made["enabled"], made["timezone"], made["daemon_group_key"]) == (False, "Europe/Berlin", "blue")

    scheduled = served.shown("trigger", "schedule", made["id"])
    listed = served.ferryman("trigger", "list", "--job", served.job_id).output
    told = served.ferryman("trigger", "show", made["id"]).output
    paused = served.shown("trigger", "pause", made["id"])

    assert scheduled["next_run_at"] is not None
    assert "30 6 * * 1-5" in listed
    assert told.splitlines()[0] == f"trigger {made['id']}  30 6 * * 1-5  scheduled"
    assert f"  next_run_at: {scheduled['next_run_at']}" in told.splitlines()
    assert (paused["enabled"], paused["next_run_at"]) == (False, None)
    assert served.ferryman("trigger", "delete", made["id"]).stdout == f"removed trigger {made['id']}\n"
    assert served.ferryman("trigger", "list").stdout == "There are no such triggers.\n"


def test_faults_of_a_trigger_are_told_in_one_line(served: Served) -> None:
    options = ("--event", "sync_job_run:record", "--event", "nonsense", "--schedule")

    result = served.ferryman("trigger", "create", served.job_id, served.account_id, "every day", *options)

    assert result.exit_code == 1
    assert "cron_expression" in result.stderr
    assert "events_to_send[1]" in result.stderr
    assert served.ferryman("trigger", "show", "nobody").exit_code == 1


def test_secret_of_a_webhook_is_replaced_and_printed_once(served: Served) -> None:
    webhook = served.api.client.post("/webhook", {"target_url": "https://example.com/hook"})

    first = served.ferryman("webhook", "rotate-secret", webhook["id"], "--overlap", "2h")
    second = served.shown("webhook", "rotate-secret", webhook["id"], "--at-once")

    assert first.stdout.startswith("whsec_")
    assert first.stdout.strip() not in (webhook["secret"], second["secret"])
    assert "signs too until" in first.stderr
    assert second["previous_secret_expires_at"] is None
    assert served.ferryman("webhook", "rotate-secret", "nobody").exit_code == 1


def test_template_becomes_a_job(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "resources.json"
    file.write_text(RESOURCES)
    made = served.shown("template", "create", "People", "--resources", f"@{file}", "--description", "All of them")

    job = served.shown("template", "use", made["id"], "--integration", "acme", "--label", "People of Acme")
    told = served.ferryman("template", "use", made["id"], "--integration", "acme").output

    assert (job["label"], job["resources"]) == ("People of Acme", json.loads(RESOURCES))
    assert told.splitlines()[0].endswith("  People")
    assert told.splitlines()[1] == "  integration_name: acme"
    assert "All of them" in served.ferryman("template", "list").output
    assert served.ferryman("template", "show", made["id"]).output.splitlines()[0].endswith("  People")
    assert served.ferryman("template", "delete", made["id"]).stdout == f"removed template {made['id']}\n"
    assert served.ferryman("template", "list").output == "There are no such templates.\n"


def test_state_is_set_shown_and_forgotten(served: Served) -> None:
    made = served.shown("state", "set", "a/b c", "last run", '{"rows": [1, "ö"]}')
    assert made["value"] == {"rows": [1, "ö"]}

    served.ferryman("state", "set", "a/b c", "last run", '"a text"')

    assert served.shown("state", "show", "a/b c", "last run")["value"] == "a text"
    assert served.ferryman("state", "show", "a/b c", "last run").output.splitlines()[:2] == [
        "last run of a/b c",
        "  value: a text",
    ]
    assert "a text" in served.ferryman("state", "list", "a/b c").output
    assert served.ferryman("state", "delete", "a/b c", "last run").stdout == "removed last run of a/b c\n"
    assert served.ferryman("state", "list", "a/b c").output == "There are no such states.\n"
    assert served.ferryman("state", "show", "a/b c", "last run").exit_code == 1


def test_log_tells_what_happened(served: Served) -> None:
    client = served.api.client
    of = {"sync_job_id": served.job_id, "integrated_account_id": served.account_id}
    run_id = client.post("/sync-job-run", of)["id"]
    client.patch(f"/sync-job-run/{run_id}", {"status": "stopped"})

    told = served.ferryman("log", "--run", run_id).output.splitlines()
    whole = served.shown("log", "--run", run_id, "--event", "stopped", "--job", served.job_id, "--limit", "5")
    calls = served.ferryman("log", "--type", "unified_proxy_api", "--account", served.account_id)
    refused = served.ferryman("log", "--type", "webhook", "--job", served.job_id)

    assert [line.split()[:3][1:] for line in told[1:]] == [[run_id, "stopped"], [run_id, "created"]]
    assert [entry["status"] for entry in whole["result"]] == ["stopped"]
    assert calls.output == "Nothing of that kind happened.\n"
    assert (refused.exit_code, "sync_job_id" in refused.stderr) == (1, True)


def test_log_is_followed_until_it_is_interrupted(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    client = served.api.client
    of = {"sync_job_id": served.job_id, "integrated_account_id": served.account_id}
    run_id = client.post("/sync-job-run", of)["id"]
    pauses = iter([lambda: client.patch(f"/sync-job-run/{run_id}", {"status": "stopped"})])

    def pause(seconds: float) -> None:
        for happens in pauses:
            happens()
            return
        raise KeyboardInterrupt

    # The command's own alone: other threads of this process sleep too.
    monkeypatch.setattr(log, "time", SimpleNamespace(sleep=pause))
    plain = served.ferryman("log", "--run", run_id, "--follow")
    lines = served.ferryman("log", "--run", run_id, "--follow", "--json")

    assert [line.split("  ")[2] for line in plain.stdout.splitlines() if run_id in line] == ["created", "stopped"]
    assert lines.stdout.count('"log_type": "sync_job_run"') == 2


def test_value_that_is_no_json_is_a_usage_fault(served: Served) -> None:
    result = served.ferryman("state", "set", "s", "k", "text")

    assert (result.exit_code, "not JSON" in result.stderr) == (2, True)


def test_connector_is_installed_once_and_brought_up_to_date(served: Served, tmp_path: Path) -> None:
    first = served.ferryman("connector", "install", "intercom")
    second = served.ferryman("connector", "install", "intercom")

    lines = first.stdout.splitlines()
    assert lines[:2] == ["created integration intercom", "created unified model crm"]
    assert "created mapping ticketing/tickets list" in lines
    assert (first.exit_code, lines[-1]) == (0, f"intercom is installed: {len(lines) - 1} created")
    assert first.stderr.startswith("next: ferryman account create intercom TENANT --context ")
    assert second.stdout == f"intercom is installed: {len(lines) - 1} unchanged\n"

    folder = shutil.copytree(CATALOG / "connectors" / "intercom", tmp_path / "mine")
    changed = json.loads((folder / "integration.json").read_text())
    changed["config"]["label"] = "Ours"
    changed["config"]["resources"]["contacts"]["list"]["pagination"] = None
    (folder / "integration.json").write_text(json.dumps(changed))
    steps = served.shown("connector", "install", str(folder))

    assert [step["kind"] for step in steps if step["done"] != "unchanged"] == ["integration"]
    assert served.shown("connector", "install", str(folder))[0]["done"] == "unchanged"
    installed = served.api.client.get(f"/integration/{steps[0]['id']}")["config"]
    assert (installed["label"], installed["resources"]["contacts"]["list"]["pagination"]) == ("Ours", None)


@pytest.mark.parametrize("name", list_shipped())
def test_every_connector_is_shown_and_installs(served: Served, name: str) -> None:
    told = served.ferryman("connector", "show", name)
    steps = served.shown("connector", "install", name)

    assert told.output.startswith(f"connector {name}\n  label: ")
    assert all(f"  {word}: " in told.output for word in ("unified", "resources", "credentials", "more"))
    assert {step["kind"] for step in steps} == {"integration", "unified model", "mapping"}
    assert name in served.ferryman("connector", "list").output
    assert all(step["done"] == "unchanged" for step in served.shown("connector", "install", name))


def test_what_somebody_added_stays_when_a_connector_is_installed(served: Served) -> None:
    client = served.api.client
    steps = served.shown("connector", "install", "slack")
    ids = {step["kind"]: step["id"] for step in steps}
    client.patch(
        f"/integration/{ids['integration']}", {"config": {"label": "Slack of ours", "headers": {"X-Mine": "1"}}}
    )

    again = served.shown("connector", "install", "slack")

    assert again[0]["done"] == "updated"
    config = client.get(f"/integration/{ids['integration']}")["config"]
    assert (config["label"], config["headers"]["X-Mine"]) == ("Slack", "1")


def test_all_faults_of_a_connector_are_told_at_once(served: Served, tmp_path: Path) -> None:
    (tmp_path / "integration.json").write_text('{"name": "", "config": {"base_url": 7}}')
    (tmp_path / "mappings" / "zoo").mkdir(parents=True)
    (tmp_path / "mappings" / "zoo" / "animals.json").write_text('{"list": {"response_mapping": "((("}}')

    (tmp_path / "mappings" / "ours").mkdir()
    (tmp_path / "mappings" / "ours" / "things.json").write_text('{"list": {"response_mapping": "response"}}')
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "ours.json").write_text('{"resources": {"things": {}}}')
    (tmp_path / "mappings" / "ours" / "others.json").write_text("{")

    result = served.ferryman("connector", "install", str(tmp_path))
    unknown = served.ferryman("connector", "show", "nobody")

    assert result.exit_code == 1
    for fault in (
        "integration.json: name: expected the integration's name",
        "integration.json: config.base_url: ",
        "mappings/zoo/animals.json: list.response_mapping: ",
        "there is no unified model 'zoo'",
        "models/ours.json: name: expected 'ours', as the file is called",
        "others.json: is not JSON: ",
    ):
        assert fault in result.stderr
    assert (unknown.exit_code, "shipped are: github, " in unknown.stderr) == (1, True)


@pytest.mark.parametrize("credentials", [None, {}, {"api_key": None}, {"basic": {"config": {"fields": ["name"]}}}])
def test_connector_is_shown_however_its_form_is_described(served: Served, tmp_path: Path, credentials: Any) -> None:
    config = {"base_url": "https://up.test", "resources": None, "credentials": credentials}
    (tmp_path / "integration.json").write_text(json.dumps({"name": "ours", "config": config}))

    shown = served.ferryman("connector", "show", str(tmp_path))

    assert (shown.exit_code, shown.output.splitlines()[0]) == (0, "connector ours"), shown.output


def test_integration_is_described_changed_by_its_name_and_removed(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"base_url": "https://shop.test", "headers": {"X-Api-Key": "canary-9f1c"}}')
    made = served.ferryman("integration", "create", "shop", "--config", f"@{file}")

    changed = served.shown("integration", "update", "shop", "--config", '{"label": "A shop"}')
    shown = served.ferryman("integration", "show", "shop")
    listed = served.ferryman("integration", "list", "--name", "shop").stdout
    removed = served.ferryman("integration", "delete", "shop")

    assert made.stdout.splitlines()[0] == "integration shop"
    assert made.stderr.startswith("next: ferryman account create shop TENANT --context ")
    assert changed["config"]["label"] == "A shop"
    assert '"label": "A shop"' in shown.stdout
    assert "canary-9f1c" not in made.output + shown.output
    assert [line.split()[1] for line in listed.splitlines()[1:]] == ["shop"]
    assert removed.stdout == f"removed integration {changed['id']}\n"
    assert served.ferryman("integration", "show", "shop").stderr == "Error: integration 'shop' does not exist\n"


def test_account_is_made_with_credentials_from_stdin_that_nobody_sees_again(served: Served) -> None:
    from click.testing import CliRunner

    from app.cli.main import main

    runner = CliRunner(env={"FERRYMAN_URL": served.api.url, "FERRYMAN_TOKEN": served.api.token})
    made = runner.invoke(
        main, ["account", "create", "acme", "customer-7", "--context", "@-"], input='{"api_key": "canary-77"}'
    )
    account_id = made.stdout.split()[2]

    listed = served.shown("account", "list", "--tenant", "customer-7")
    changed = served.shown("account", "update", account_id, "--tenant", "customer-8", "--body", '{"context": {"a": 1}}')
    removed = served.ferryman("account", "delete", account_id)
    restored = served.ferryman("account", "restore", account_id)

    assert made.stderr == "next: ferryman job list --integration acme\n"
    assert [one["id"] for one in listed["result"]] == [account_id]
    assert (changed["tenant_id"], sorted(changed["context"])) == ("customer-8", ["a", "api_key"])
    assert "canary-77" not in made.output + str(changed)
    assert removed.stderr == f"next: ferryman account restore {account_id}   # undoes it, until it is erased\n"
    assert restored.stdout.startswith(f"integrated account {account_id}  acme  active")
    assert served.shown("account", "delete", account_id, "--erase") == {"id": account_id}
    assert "no OAuth 2 token" in served.ferryman("account", "refresh", served.account_id).stderr


def test_job_is_made_changed_and_removed(served: Served) -> None:
    made = served.shown("job", "create", "acme", "--resources", RESOURCES, "--label", "People")

    changed = served.ferryman("job", "update", made["id"], "--label", "Persons", "--mutex-key", "one")
    nothing = served.ferryman("job", "update", made["id"])
    removed = served.ferryman("job", "delete", made["id"])

    assert (made["label"], made["resources"]) == ("People", json.loads(RESOURCES))
    assert changed.stdout.splitlines()[0] == f"sync job {made['id']}  Persons"
    assert changed.stderr == f"next: ferryman job show {made['id']}\n"
    assert (nothing.exit_code, "nothing to change" in nothing.stderr) == (2, True)
    assert removed.stdout == f"removed sync job {made['id']}\n"
    assert served.ferryman("job", "list", "--label", "Persons").stdout == "There are no such sync jobs.\n"


def test_all_faults_of_a_job_are_told_at_once(served: Served) -> None:
    result = served.ferryman("job", "create", "acme", "--resources", '[{"resource": "a"}]', "--args-validation", "((")

    assert result.exit_code == 1
    assert "resources.0.method" in result.stderr
    assert "args_validation" in result.stderr


def test_webhook_is_made_with_its_secret_changed_and_removed(served: Served) -> None:
    made = served.ferryman("webhook", "create", "https://example.com/a", "--event", "sync_job_run:failed")
    webhook_id = made.stdout.split()[1]

    off = served.shown("webhook", "update", webhook_id, "--inactive", "--target-url", "https://example.com/b")
    on = served.shown("webhook", "update", webhook_id, "--active", "--body", '{"event_types": null}')
    sent = served.ferryman("webhook", "deliveries", webhook_id, "--status", "pending")

    assert "  secret: whsec_" in made.stdout
    assert made.stderr == f"next: ferryman webhook test {webhook_id}\n"
    assert (off["is_active"], off["target_url"], off["event_types"]) == (
        *(False, "https://example.com/b"),
        ["sync_job_run:failed"],
    )
    assert (on["is_active"], on["event_types"]) == (True, None)
    assert "secret" not in on
    assert sent.stdout == "There are no such deliveries.\n"
    assert served.ferryman("webhook", "retry", webhook_id, "nothing").exit_code == 1
    assert served.ferryman("webhook", "delete", webhook_id).stdout == f"removed webhook {webhook_id}\n"


def test_list_that_is_longer_says_so(served: Served) -> None:
    for number in range(3):
        served.shown("job", "create", "acme", "--label", f"long {number}")

    result = served.ferryman("job", "list", "--integration", "acme", "--limit", "2")

    assert len(result.stdout.splitlines()) == 3
    assert result.stderr == "There are more: --limit 20 shows them.\n"


def test_records_are_listed_restored_and_erased(served: Served) -> None:
    account = served.account_id
    run_id = served.api.client.post("/sync-job-run", {"sync_job_id": served.job_id, "integrated_account_id": account})[
        "id"
    ]

    listed = served.ferryman("record", "list", account, "--resource", "users", "--run", run_id, "--with-deleted")
    missing = served.ferryman("record", "show", account, "users", "u-1")
    restored = served.ferryman("record", "restore", account, run_id, "--resource", "users")
    erased = served.ferryman("record", "erase", account, "users")

    assert listed.stdout == "There are no such records.\n"
    assert (missing.exit_code, missing.stderr) == (1, "Error: record of users 'u-1' does not exist\n")
    assert restored.stdout == "restored 0 records\n"
    assert erased.stdout.startswith("erasure ")
    assert erased.stderr == f"next: ferryman record list {account} --resource users\n"


def test_budget_of_an_account_is_shown_and_where_each_daemon_has_its_own_not_reset(served: Served) -> None:
    shown = served.ferryman("account", "budget", "show", served.account_id)
    reset = served.ferryman("account", "budget", "reset", served.account_id)

    assert shown.stdout.splitlines()[1] == "  kept: in each daemon, without Redis: it is not seen here"
    assert (reset.exit_code, "FERRYMAN_BUDGET_URL" in reset.stderr) == (1, True)
    assert served.ferryman("account", "budget", "show", "nobody").exit_code == 1


def test_daemons_are_listed(served: Served) -> None:
    from app.store.db.database import connect
    from app.store.maintenance.daemons import DaemonStore

    engine = connect(served.api.database_url, pool_size=1)
    DaemonStore(engine).register("d-1", group_key="eu", label="here", metadata={"pid": 7})
    engine.dispose()

    listed = served.ferryman("daemon", "list", "--group", "eu").stdout
    shown = served.ferryman("daemon", "show", "d-1").stdout

    assert listed.splitlines()[1].split()[:3] == ["d-1", "eu", "active"]
    assert '  metadata: {"pid": 7}' in shown.splitlines()
    assert served.shown("daemon", "list", "--group", "us")["result"] == []
    assert served.ferryman("daemon", "show", "nobody").exit_code == 1
