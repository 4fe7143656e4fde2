"""The overview and the fleet: what is shown is what there is, and each finding leads to its thing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text

from app.api.resources.services import ApiServices
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.store import tables
from tests.integration.api.calling import CONFIG, RESOURCES, Caller, Catalog
from tests.integration.ui.visiting import MARKUP, Visitor

NOW = datetime.now(UTC)


@pytest.fixture
def catalog(api: Caller) -> Catalog:
    integration = api.post("/integration", {"name": "acme", "config": CONFIG}).body
    account = api.post("/integrated-account", {"integration_name": "acme", "tenant_id": "t1"}).body
    job = api.post("/sync-job", {"integration_name": "acme", "label": MARKUP, "resources": RESOURCES}).body
    return Catalog(integration, account, job)


def add_run(engine: Engine, catalog: Catalog, status: str, *, ended: timedelta | None = None, **values: Any) -> str:
    """Write a run as it may be found."""
    row = {
        "id": new_id(),
        "environment_id": catalog.job["environment_id"],
        "sync_job_id": catalog.job["id"],
        "integrated_account_id": catalog.account["id"],
        "status": status,
        "args": {},
        "args_hash": b"x",
        "resources": RESOURCES,
        "sync_job": {"label": MARKUP},
        "queue": "rapid-bridge",
        "finished_at": None if ended is None else NOW - ended,
        "started_at": None if ended is None else NOW - ended - timedelta(minutes=1),
        **values,
    }
    with engine.begin() as connection:
        connection.execute(insert(tables.sync_job_run).values(row))
    return str(row["id"])


def add_resource(engine: Engine, run_id: str, **counters: Any) -> None:
    row = {"id": new_id(), "run_id": run_id, "position": 0, "name": "users", "resource": "users", "method": "list"}
    with engine.begin() as connection:
        connection.execute(insert(tables.run_resource).values({**row, "persist": True, **counters}))


def test_bars_show_what_runs_came_to_and_lead_to_them(admin: Visitor, engine: Engine, catalog: Catalog) -> None:
    for status, ago in (("completed", 2), ("completed", 2), ("failed", 2), ("stopped", 30)):
        add_run(engine, catalog, status, ended=timedelta(hours=ago))

    seen = admin.part("/ui/overview/work")

    hour = (NOW - timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    assert f"{hour:%d %b %H:00} UTC: 2 completed, 1 failed" in seen.words
    bars = [one for one in seen.links if "finished_from" in one]
    assert len(bars) == 24
    assert (
        f"/ui/runs?finished_from={hour:%Y-%m-%dT%H:00:00Z}&finished_to={hour + timedelta(hours=1):%Y-%m-%dT%H:00:00Z}"
        in bars
    )
    assert "stopped" not in seen.words


def test_run_that_completed_with_errors_is_not_plainly_green(
    admin: Visitor, api: Caller, engine: Engine, catalog: Catalog
) -> None:
    sound, flawed, mended, failed = (
        add_run(engine, catalog, status, ended=timedelta(hours=2), has_errors=has_errors)
        for status, has_errors in (("completed", False), ("completed", True), ("completed", False), ("failed", True))
    )
    for run, counters in (
        (sound, {}),
        (flawed, {"errors": 2, "retried": 1}),
        (mended, {"errors": 2, "retried": 2}),
        (failed, {"errors": 1}),
    ):
        add_resource(engine, run, **counters)

    bars, lines, page = (admin.part("/ui/overview/work"), admin.get("/ui/runs"), admin.get(f"/ui/runs/{flawed}"))

    assert "2 completed, 1 completed with errors, 1 failed" in bars.words
    assert 'class="fill-completed_with_errors"' in bars.text
    assert lines.words.count("completed with errors") == 1
    assert "completed with errors" in page.words
    assert "completed with errors" not in admin.get(f"/ui/runs/{mended}").words
    assert "Runs that completed with errors in the last 24 hours: 1" in admin.part("/ui/overview/concerns").words
    assert {run[:8] in admin.get("/ui/runs?has_errors=true").words for run in (sound, mended)} == {False}
    assert {run[:8] in admin.get("/ui/runs?has_errors=true").words for run in (flawed, failed)} == {True}
    assert [one["id"] for one in api.get("/sync-job-run", has_errors="true", status="completed").body["result"]] == [
        flawed
    ]
    assert {one["id"] for one in api.get("/sync-job-run", has_errors="false").body["result"]} == {sound, mended}


def test_resources_whose_last_run_failed_are_grouped_by_job(
    admin: Visitor, api: Caller, engine: Engine, catalog: Catalog
) -> None:
    other = api.post("/integrated-account", {"integration_name": "acme", "tenant_id": "t2"}).body["id"]
    mended = api.post("/integrated-account", {"integration_name": "acme", "tenant_id": "t3"}).body["id"]
    day, hour = timedelta(days=2), timedelta(hours=1)
    for account, status, ended in (
        (catalog.account["id"], "failed", day),
        (other, "completed", hour),
        (mended, "failed", day),
        (mended, "completed", hour),
    ):
        is_mended = account == mended and status == "completed"
        run = add_run(
            engine, catalog, status, ended=ended, integrated_account_id=account, created_at=NOW - ended - hour
        )
        add_resource(engine, run, status="completed" if is_mended else "failed")

    seen = admin.part("/ui/overview/concerns")

    assert "Resources whose last run failed: 1" in seen.words
    assert f"{MARKUP}: users 2 accounts since {NOW - day:%Y-%m-%d}"[:-11] in seen.words
    assert f"/ui/jobs/{catalog.job['id']}" in seen.links
    assert "<img" not in seen.text


def test_open_incidents_are_shown_with_since_when(
    admin: Visitor, api: Caller, engine: Engine, catalog: Catalog
) -> None:
    body = {"type": "webhook", "config": {"target_url": "https://people.example/told"}}
    destination = api.post("/notification-destination", body).body
    opened = {
        "environment_id": catalog.job["environment_id"],
        "notification_destination_id": destination["id"],
        "event": "record:stale",
        "cause": MARKUP,
        "facts": {},
    }
    since = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    with engine.begin() as connection:
        for subject, more in (("a", {}), ("b", {}), ("over", {"resolved_at": NOW})):
            row = {"id": new_id(), "subject": subject, "opened_at": since, "resolved_at": None, **more}
            connection.execute(insert(tables.incident).values({**opened, **row}))

    seen, listed = admin.part("/ui/overview/concerns"), admin.get("/ui/incidents?is_open=false")
    of_api = {
        str(way): api.get("/incident", is_open=way, event="record:stale").body["result"] for way in ("true", "false")
    }
    over = of_api["false"][0]
    page, first = admin.get(f"/ui/incidents/{over['id']}"), api.get("/incident", limit=1)

    assert [one["subject"] for one in of_api["false"]] == ["over"]
    assert {one["subject"] for one in of_api["true"]} == {"a", "b"}
    assert api.get(f"/incident/{over['id']}").body == over
    assert (over["is_open"], over["cause"], over["opened_at"]) == (False, MARKUP, "2026-01-02T03:04:00.000Z")
    assert "last complete: never" in over["summary"]
    rest = api.get("/incident", next_cursor=first.body["next_cursor"]).body["result"]
    assert len({one["id"] for one in [*first.body["result"], *rest]}) == 3
    assert api.get("/incident", event="nothing").status == 400
    assert over["summary"] in listed.words
    assert f"/ui/incidents/{over['id']}" in listed.links
    assert "Look at the account's last runs" in page.words
    assert MARKUP not in listed.text + page.text
    assert "/ui/incidents?is_open=true" in seen.links
    assert "Incidents that people are notified of: 1" in seen.words
    assert f"record:stale 2: {MARKUP}" in seen.words
    assert 'datetime="2026-01-02T03:04' in seen.text
    assert "<img" not in seen.text


def test_records_are_spread_over_the_time_of_their_run(admin: Visitor, engine: Engine, catalog: Catalog) -> None:
    run = add_run(engine, catalog, "completed", ended=timedelta(minutes=10), started_at=NOW - timedelta(minutes=20))
    add_resource(engine, run, fetched=5000)

    assert "5,000 in the last hour" in admin.part("/ui/overview/work").words


def test_attention_names_each_trouble_and_leads_to_it(
    admin: Visitor, api: Caller, engine: Engine, catalog: Catalog
) -> None:
    failed = add_run(engine, catalog, "failed", ended=timedelta(hours=1), error={"message": f"upstream: {MARKUP}"})
    late = add_run(engine, catalog, "created", created_at=NOW - timedelta(hours=1), updated_at=NOW - timedelta(hours=1))
    stalled = add_run(engine, catalog, "running", started_at=NOW - timedelta(hours=1))
    spoiled = add_run(engine, catalog, "completed", ended=timedelta(hours=1))
    add_resource(engine, spoiled, quarantined=3)
    webhook = api.post("/webhook", {"target_url": "https://receiver.example/x"}).body
    body = {**catalog.run_body, "cron_expression": "0 0 * * *", "enabled": True}
    trigger = api.post("/sync-job-cron-trigger", body).body
    with engine.begin() as connection:
        connection.execute(
            text("update integrated_account set status = 'needs_reauth', last_error = :told where id = :id"),
            {"id": catalog.account["id"], "told": f"refused {MARKUP}"},
        )
        connection.execute(text("update webhook set disabled_reason = 'gone' where id = :id"), {"id": webhook["id"]})
        connection.execute(
            text('update sync_job_cron_trigger set last_run = \'{"error": "no such account"}\' where id = :id'),
            {"id": trigger["id"]},
        )

    seen = admin.part("/ui/overview/concerns")

    for words in (
        "Accounts to be reconnected: 1",
        "Webhooks that are disabled: 1",
        "Triggers that make no run: 1",
        "Runs that failed in the last 24 hours: 1",
        "Runs that wait for a daemon: 1",
        "Runs without progress: 1",
        "Runs with quarantined records: 1",
        "3 records",
        "no such account",
    ):
        assert words in seen.words
    for address in (
        f"/ui/accounts/{catalog.account['id']}",
        f"/ui/webhooks/{webhook['id']}",
        f"/ui/triggers/{trigger['id']}",
        *(f"/ui/runs/{one}" for one in (failed, late, stalled, spoiled)),
    ):
        assert address in seen.links
    assert "<img" not in seen.text


def test_overview_shows_nothing_of_other_environments(
    admin: Visitor, services: ApiServices, engine: Engine, catalog: Catalog
) -> None:
    other = services.environments.create(new_id())
    add_run(engine, catalog, "failed", ended=timedelta(hours=1), environment_id=other.id)

    seen = admin.get("/ui/")

    assert "Nothing needs attention" in seen.words
    assert "No run has ended in the last 24 hours" in seen.words


def test_due_triggers_are_those_that_come_next(admin: Visitor, api: Caller, catalog: Catalog) -> None:
    soon = api.post(
        "/sync-job-cron-trigger", {**catalog.run_body, "cron_expression": "* * * * *", "enabled": True}
    ).body
    api.post("/sync-job-cron-trigger", {**catalog.run_body, "cron_expression": "1 1 1 1 *"})

    seen = admin.part("/ui/overview/due")

    assert [one for one in seen.links if "/triggers/" in one] == [f"/ui/triggers/{soon['id']}"]


def test_fleet_shows_daemons_and_queues(admin: Visitor, engine: Engine, catalog: Catalog) -> None:
    name = new_id()
    row = {
        "id": name,
        "label": f"d@{MARKUP}",
        "group_key": name,
        "status": "active",
        "last_active_at": datetime.now(UTC),
    }
    with engine.begin() as connection:
        connection.execute(insert(tables.daemon).values({**row, "metadata": {"slots": 7, "version": "9.8.7"}}))
    try:
        seen = admin.get("/ui/fleet")
        part = admin.part("/ui/fleet/board")
    finally:
        with engine.begin() as connection:
            connection.execute(tables.daemon.delete().where(tables.daemon.c.id == name))

    assert f"daemon-group.{name} 1 7" in seen.words
    assert f"d@{MARKUP}" in seen.words
    assert "9.8.7" in part.words
    assert "Leader none" in seen.words
    assert "<img" not in part.text


def test_group_that_nobody_serves_is_shown_where_its_runs_wait_alone(
    admin: Visitor, guest: Visitor, api: Caller, catalog: Catalog, services: ApiServices
) -> None:
    name = f"g-{new_id()}"
    api.post("/sync-job-run", {**catalog.run_body, "daemon_group_key": name})
    guest.sign_in(services.tokens.create(services.environments.create(name).id, "stranger")[1])

    assert f"daemon-group.{name} none" in admin.get("/ui/fleet").words
    assert name not in guest.get("/ui/fleet").text


def test_unchanged_parts_of_the_overview_are_not_sent_again(admin: Visitor, environment_id: EnvironmentId) -> None:
    for path in ("/ui/overview/fleet", "/ui/overview/concerns", "/ui/overview/work", "/ui/overview/due"):
        first = admin.part(path)
        assert admin.part(path, If_None_Match=first.headers["ETag"]).status == 304, path
