"""Accounts, webhooks, destinations, triggers and the audit log: what they show and do, and what they never show."""

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import Engine, text
from werkzeug.routing import Rule

from app.api.resources import roles
from app.api.resources.services import ApiServices
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId, Role
from tests.integration.api.calling import Caller
from tests.integration.api.walled_worlds import World, furnished
from tests.integration.ui.visiting import MARKUP, Visitor

OF_ACCOUNT = (
    """update record set remote_id = :v, resource = :v, data = cast(:j as jsonb)
        where integrated_account_id = :a and deleted_at is null""",
    """update run_resource set resource = :v from sync_job_run r
        where r.id = run_id and r.integrated_account_id = :a""",
    """update delivery set event = :v, last_error = :v, body = :b, status = 'dead_lettered', delivered_at = null,
              integrated_account_id = cast(:a as uuid), log_sequence = 1
        where webhook_id = :w""",
)
OF_RUN = """
    update run_error set resource = :v, method = :v, code = :v, message = :v, details = cast(:j as jsonb)
     where run_id = :r
"""
OF_BULK_ACTION = """
    insert into bulk_action_run (bulk_action_id, run_id, resumes, outcome, reason)
    select :b, id, 0, 'failed', :v from sync_job_run where environment_id = :e
"""
COLLECTIONS = {
    "accounts": "integrated-account",
    "audit": "audit-entry",
    "bulk-actions": "bulk-action",
    "destinations": "destination",
    "incidents": "incident",
    "jobs": "sync-job",
    "runs": "sync-job-run",
    "schemas": "schema",
    "triggers": "sync-job-cron-trigger",
    "webhooks": "webhook",
}
"""What the pages below a folder are of."""
NUMBERS_ONLY = ("/budget", "/progress", "/backlog", "/overview/work", "/overview/fleet", "/fleet", "/fleet/board")
"""Where a world's texts are not: only numbers, and the daemons of all."""
CANARY = "c4nary-s3cret-8x7y6z5w"


@dataclass(frozen=True)
class Pages:
    """The addresses of a world's pages."""

    world: World
    app: Flask

    def of(self, collection: str) -> str:
        return self.world.ids[collection]

    @property
    def webhook(self) -> str:
        return f"/ui/webhooks/{self.of('webhook')}"

    @property
    def delivery(self) -> str:
        return f"{self.webhook}/deliveries/{self.of('webhook/deliveries')}"

    @property
    def account(self) -> str:
        return f"/ui/accounts/{self.of('integrated-account')}"

    @property
    def destination(self) -> str:
        return f"/ui/destinations/{self.of('destination')}"

    def all(self, *, resource: str, record: str) -> list[str]:
        """List every page and part that is seen by who is signed in: a screen that has no place here fails."""
        return [self._place(rule.rule, f"?resource={resource}&record={record}") for rule in self.guarded]

    @property
    def guarded(self) -> list[Rule]:
        """The rules of all pages but those for everybody: signing in, and static files."""
        views = self.app.view_functions
        return [
            rule
            for rule in self.app.url_map.iter_rules()
            if rule.rule.startswith("/ui/") and "GET" in (rule.methods or ()) and roles.needed_by(views[rule.endpoint])
        ]

    def _place(self, rule: str, query: str) -> str:
        folder = rule.split("/")[2]
        path = rule.replace("<delivery_id>", self.world.ids["webhook/deliveries"])
        if "<id>" in path:
            path = path.replace("<id>", self.of(COLLECTIONS[folder]))
        return path + (query if path.endswith("/record") else "")


@pytest.fixture
def world(api: Caller, environment_id: EnvironmentId, engine: Engine) -> World:
    return furnished(api, "mine", environment_id, engine)


@pytest.fixture
def pages(world: World, app: Flask) -> Pages:
    return Pages(world, app)


def spoil(engine: Engine, world: World, value: str) -> None:
    """Put a text into every text of the world that a screen shows."""
    environment = {"e": world.environment_id, "v": value}
    by_environment = {
        "integrated_account": ("tenant_id", "last_error"),
        "integration": ("name",),
        "webhook": ("target_url", "disabled_reason"),
        "destination": ("label", "daemon_group_key"),
        "datastore": ("label",),
        "sync_job_cron_trigger": ("timezone",),
        "cron_trigger_fire": ("error",),
        "resource_schema": ("resource", "integration_name", "view_error"),
        "audit_entry": ("actor_name", "operation", "remote_address", "action"),
        "bulk_action": ("last_error",),
        "incident": ("cause", "subject"),
        "dashboard_session": ("name",),
        "sync_job": ("label", "args_validation", "mutex_key", "state_key", "integration_name"),
        "sync_job_run": ("daemon_id", "daemon_group_key", "mutex_key", "state_key"),
    }
    request = {"resource": value, "method": value, "name": value, "persist": True, "description": value}
    field = {"type": "string", "title": value, "description": value, "format": value, "default": value}
    schema = {"type": "object", "properties": {value: field, f"{value}2": {"enum": [value]}}}
    shown = {
        "integrated_account set last_forbidden_error": {"resource": value, "method": value, "missing_scopes": [value]},
        "audit_entry set before": {value: value, "b": {value: [value]}},
        "audit_entry set after": {value: "other", "b": {value: [value]}},
        "sync_job_cron_trigger set next_run_at = now(), last_run": {"error": value},
        "sync_job_run set status = 'failed', finished_at = now(), error": {"code": value, "message": value},
        "sync_job_run set args": {value: [value]},
        "sync_job_run set resources": [request],
        "sync_job_run set sync_job": {"integration_name": value, "label": value},
        "sync_job set resources": [request],
        "sync_job set args_schema": schema,
        "incident set facts": {"message": value, "sync_job_run_id": value, value: [value]},
        "bulk_action set filters": {"tenant": value, "error": value, "args": [f"a={value}"]},
    }
    account = {"a": world.ids["integrated-account"], "v": value, "j": json.dumps({value: value}), "b": value.encode()}
    with engine.begin() as connection:
        for table, columns in by_environment.items():
            changes = ", ".join(f"{column} = :v" for column in columns)
            connection.execute(text(f"update {table} set {changes} where environment_id = :e"), environment)
        for place, one in shown.items():
            changed = text(f"update {place} = cast(:j as jsonb) where environment_id = :e")
            connection.execute(changed, {"e": world.environment_id, "j": json.dumps(one)})
        for statement in OF_ACCOUNT:
            connection.execute(text(statement), {**account, "w": world.ids["webhook"]})
        connection.execute(text(OF_RUN), {**account, "r": world.ids["sync-job-run"]})
        connection.execute(text(OF_BULK_ACTION), {"v": value, "b": world.ids["bulk-action"], "e": world.environment_id})
        connection.execute(text("update environment set name = :v || id where id = :e"), environment)


def test_markup_is_text_on_every_screen(pages: Pages, engine: Engine, admin: Visitor) -> None:
    spoil(engine, pages.world, MARKUP)

    for address in pages.all(resource=quote(MARKUP), record=quote(MARKUP)):
        seen = admin.get(address)
        assert seen.status == 200, (address, seen.words)
        bare = re.sub(r'<img src="/ui/static[^>]*>', "", seen.text)
        assert "<img" not in bare, address
        assert "</script>&amp;" not in bare.replace("&lt;/script&gt;&amp;amp;", ""), address
        if not address.endswith(NUMBERS_ONLY):
            assert "&lt;img src=x" in seen.text, address
            assert "{{7*7}}" in html.unescape(seen.text), address


def test_secrets_are_on_no_screen(api: Caller, pages: Pages, admin: Visitor, world: World) -> None:
    account = api.get(f"/integrated-account/{world.ids['integrated-account']}").body
    api.patch(f"/integrated-account/{account['id']}/credentials", {"context": {"api_key": CANARY}})
    api.patch(f"/integrated-account/{account['id']}", {"integration_override": {"headers": {"X-Api-Key": CANARY}}})
    config = {"base_url": "http://127.0.0.1:9", "headers": {"X-Api-Key": CANARY}}
    api.patch(f"/integration/{world.ids['integration']}", {"config": config})
    api.patch(f"/datastore/{world.ids['datastore']}", {"config": {"password": CANARY}})
    secret = api.get(f"/webhook/{world.ids['webhook']}").body
    entries = api.get("/audit-entry", limit=1000).body["result"]

    addresses = pages.all(resource=world.text("resource"), record=world.text("remote"))
    seen = [admin.get(address) for address in (*addresses, *(f"/ui/audit/{one['id']}" for one in entries))]

    assert "secret" not in secret
    assert {one.status for one in seen} == {200}
    assert [one.heading for one in seen if CANARY in one.text or world.text("password") in one.text] == []


def test_reader_sees_every_page_and_no_button(pages: Pages, reader: Visitor, world: World) -> None:
    for address in pages.all(resource=world.text("resource"), record=world.text("remote")):
        seen = reader.get(address)
        assert (seen.status, seen.actions) == (200, []), address


def test_runner_may_send_again_and_not_change(
    pages: Pages, visitor_of: Callable[[Role], Visitor], engine: Engine
) -> None:
    runner = visitor_of(Role.RUN)

    assert runner.get(pages.delivery).actions == [f"{pages.delivery}/retry"]
    assert runner.post(f"{pages.webhook}/pause").status == 403
    assert runner.post(f"{pages.webhook}/rotate-secret").status == 403
    assert runner.post(f"{pages.destination}/backfill").status == 403


def test_strangers_things_are_not_there(
    app: Flask, services: ApiServices, pages: Pages, world: World, engine: Engine
) -> None:
    other = EnvironmentId(new_id())
    with engine.begin() as connection:
        connection.execute(text("insert into environment (id, name) values (:id, :name)"), {"id": other, "name": other})
    stranger = Visitor(app.test_client())
    stranger.sign_in(services.tokens.create(other, "stranger")[1])

    for address in pages.all(resource=world.text("resource"), record=world.text("remote")):
        seen = stranger.get(address)
        assert world.mark not in seen.text, address
        is_of_world = any(id in address for id in world.ids.values())
        assert seen.status == (404 if is_of_world else 200), address


def test_account_shows_what_is_missing_held_and_happened(
    pages: Pages, admin: Visitor, api: Caller, engine: Engine, world: World
) -> None:
    api.patch(f"/sync-job-run/{world.ids['sync-job-run']}", {"status": "stopped"})
    with engine.begin() as connection:
        refuse = (
            "update integrated_account set status = 'needs_reauth', last_error = 'token was revoked' where id = :id"
        )
        connection.execute(text(refuse), {"id": pages.of("integrated-account")})

    seen, timeline = admin.get(pages.account), admin.get(f"{pages.account}/timeline")

    assert "token was revoked" in seen.words
    assert world.text("resource") in seen.words
    assert f"/ui/runs/{world.ids['sync-job-run']}" in seen.links
    for what in ("integrated_account.created", "sync_job_run.stopped", "integrated_account.updated", "system"):
        assert what in timeline.words, what
    order = [timeline.words.index(what) for what in ("integrated_account.updated", "integrated_account.created")]
    assert order == sorted(order)


def test_timeline_goes_on_page_by_page(pages: Pages, admin: Visitor, engine: Engine, world: World) -> None:
    note = """
        insert into audit_entry (id, environment_id, integrated_account_id, action, object_type, object_id, actor_kind,
                                 created_at)
        select gen_random_uuid(), :e, cast(:a as uuid), 'thing.number_' || n, 'thing', 'x', 'system',
               now() - make_interval(hours => n)
          from generate_series(1, 120) n
    """
    with engine.begin() as connection:
        connection.execute(text(note), {"e": world.environment_id, "a": pages.of("integrated-account")})

    address, found = f"{pages.account}/timeline", []
    while address:
        seen = admin.get(address)
        found += re.findall(r"thing\.number_(\d+)", seen.text)
        address = next((link for link in seen.links if "before=" in link), "")

    assert [int(number) for number in found] == list(range(1, 121))


def test_records_are_browsed_to_the_run_of_their_last_change(pages: Pages, admin: Visitor, world: World) -> None:
    listed = admin.get(f"{pages.account}/records?resource={world.text('resource')}")
    address = next(link for link in listed.links if "/record?" in link and world.text("remote") in link)

    record = admin.get(address)

    assert world.text("record") in record.words
    assert f"/ui/runs/{world.ids['sync-job-run']}" in record.links
    assert admin.get(f"{pages.account}/records?record=none").words.count("No record matches.") == 1


def test_failed_delivery_is_followed_to_its_answer_and_sent_again(
    pages: Pages, admin: Visitor, engine: Engine, world: World
) -> None:
    with engine.begin() as connection:
        fail = (
            "update delivery set status = 'dead_lettered', last_status_code = 418, last_error = 'teapot', attempts = 9"
        )
        connection.execute(text(f"{fail} where webhook_id = :w"), {"w": pages.of("webhook")})
    listed = admin.get(f"{pages.webhook}?status=dead_lettered")

    delivery = admin.get(next(link for link in listed.links if "/deliveries/" in link))
    again = admin.post(f"{pages.delivery}/retry")

    assert "418" in delivery.words
    assert "teapot" in delivery.words
    assert world.text("delivery") in delivery.words
    assert again.status == 303
    assert "It is sent again." in admin.get(again.headers["Location"]).words
    assert "pending" in admin.get(pages.delivery).words


def test_all_failed_deliveries_that_match_are_sent_again(pages: Pages, admin: Visitor, engine: Engine) -> None:
    many = """
        insert into delivery (id, run_id, webhook_id, event, body, status, last_status_code)
        select gen_random_uuid(), d.run_id, d.webhook_id, case when n > 3 then 'other' else 'this' end, 'b',
               'dead_lettered', 500
          from delivery d, generate_series(1, 5) n where d.id = :id
    """
    with engine.begin() as connection:
        connection.execute(text(many), {"id": pages.of("webhook/deliveries")})

    seen = admin.get(f"{pages.webhook}?event=this")
    action = next(one for one in seen.actions if "/retry" in one)
    done = admin.post(action)

    assert "Send 3 again" in seen.words
    assert "3 deliveries are sent again." in admin.get(done.headers["Location"]).words
    with engine.connect() as connection:
        counted = "select event, count(*) from delivery where webhook_id = :w and status = 'pending' group by event"
        rows = connection.execute(text(counted), {"w": pages.of("webhook")}).all()
    assert [tuple(row) for row in rows] == [("this", 3)]


def test_webhook_is_paused_and_its_secret_shown_once(pages: Pages, admin: Visitor, api: Caller) -> None:
    admin.post(f"{pages.webhook}/pause")
    paused = admin.get(pages.webhook)
    shown = admin.post(f"{pages.webhook}/rotate-secret", hours="1")
    admin.post(f"{pages.webhook}/resume")

    secret = re.search(r'<code id="secret">([^<]+)</code>', shown.text)
    assert secret is not None
    assert "paused" in paused.words
    assert shown.headers["Cache-Control"] == "no-store"
    assert secret[1] not in admin.get(pages.webhook).text
    for hours in ("x", "169", "0001" + "9" * 400):
        assert admin.post(f"{pages.webhook}/rotate-secret", hours=hours).status == 400
    entries = api.get("/audit-entry", object_id=pages.of("webhook"), actor_kind="ui").body["result"]
    assert [entry["operation"] for entry in reversed(entries)] == [
        f"POST /ui/webhooks/<id>/{verb}" for verb in ("pause", "rotate-secret", "resume")
    ]
    assert {entry["actor_name"] for entry in entries} == {"the admin"}


def test_destination_is_paused_filled_anew_and_resumed(pages: Pages, admin: Visitor) -> None:
    admin.post(f"{pages.destination}/pause")
    paused = admin.part(f"{pages.destination}/progress")
    admin.post(f"{pages.destination}/backfill", from_sequence="7")
    admin.post(f"{pages.destination}/resume")

    assert "paused" in paused.words
    assert "paused" not in admin.part(f"{pages.destination}/progress").words
    assert "filled anew 1" in admin.get(pages.destination).words
    assert admin.post(f"{pages.destination}/backfill", from_sequence="-1").status == 400


def test_what_a_destination_has_left_out_is_shown_and_tried_again(pages: Pages, admin: Visitor, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into destination_quarantine (destination_id, integrated_account_id, resource, remote_id,"
                " sequence, reason) values (:id, gen_random_uuid(), 'tickets', 'T-<1>', 3, 'a number is out of range')"
            ),
            {"id": pages.of("destination")},
        )

    shown = admin.get(pages.destination).words
    admin.post(f"{pages.destination}/backfill", quarantined="1")

    assert "Left out" in shown
    assert "tickets T-<1> a number is out of range" in shown
    assert "filled anew 1" in admin.get(pages.destination).words


def test_schema_shows_its_columns(pages: Pages, admin: Visitor, world: World) -> None:
    listed = admin.get("/ui/schemas")
    schema = admin.get(f"/ui/schemas/{world.ids['schema']}")

    assert f"/ui/schemas/{world.ids['schema']}" in listed.links
    assert world.text("key") in schema.words


def test_trigger_says_when_in_words_and_runs_now(pages: Pages, admin: Visitor, world: World) -> None:
    address = f"/ui/triggers/{world.ids['sync-job-cron-trigger']}"

    scheduled = admin.post(f"{address}/schedule")
    seen = admin.get("/ui/triggers?enabled=true")
    ran = admin.post(f"{address}/run")
    admin.post(f"{address}/pause")

    assert scheduled.status == 303
    assert "At 06:00" in seen.words
    assert 'aria-label="due at 06:00 UTC"' in seen.text
    assert ran.headers["Location"].startswith("/ui/runs/")
    assert "not scheduled" in admin.get("/ui/triggers").words
    assert world.text("fire") in admin.get(address).words


def test_audit_is_narrowed_and_shows_what_changed(pages: Pages, admin: Visitor, api: Caller) -> None:
    api.patch(f"/webhook/{pages.of('webhook')}", {"is_active": False})

    seen = admin.get(f"/ui/audit?object_type=webhook&object_id={pages.of('webhook')}&action=webhook.updated")
    entry = admin.get(next(link for link in seen.links if re.search(r"/ui/audit/[0-9a-f-]{36}$", link)))

    assert "is_active true → false" in re.sub(r"\s+", " ", seen.words)
    assert "is_active true false" in entry.words
    assert "PATCH /webhook/<id>" in entry.words
    assert admin.get("/ui/audit?actor_kind=nobody").status == 400


@pytest.mark.parametrize(
    "query",
    [
        "status=odd",
        "next_cursor=x",
        "created_at[gte]=yesterday",
        "id=x",
        "odd=1",
        "tenant_id=%00",
        "_external=1&endpoint=x&id=",
    ],
)
def test_wrong_filters_are_said_and_never_break(pages: Pages, admin: Visitor, query: str) -> None:
    for address in ("/ui/accounts", "/ui/webhooks", pages.webhook, "/ui/destinations", "/ui/triggers", "/ui/audit"):
        seen = admin.get(f"{address}?{query}")
        assert seen.status in (200, 400), (address, seen.words)


@pytest.mark.parametrize("query", ["before=x", "record=%00", "resource=%00", "next_cursor=x"])
def test_wrong_places_in_an_account_are_said(pages: Pages, admin: Visitor, query: str) -> None:
    for part in ("timeline", "records", "record"):
        assert admin.get(f"{pages.account}/{part}?{query}").status in (200, 400, 404)


def test_what_is_no_id_is_not_found(admin: Visitor) -> None:
    for folder in ("accounts", "webhooks", "destinations", "triggers", "audit", "schemas"):
        for id in ("x", new_id(), "%00"):
            assert admin.get(f"/ui/{folder}/{id}").status == 404, (folder, id)
