"""``/log`` over HTTP and Postgres: what happened in runs, what webhooks were sent, which direct calls were made."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, insert, text

from app.api.resources.services import ApiServices
from app.engine.errors import StoreUnavailableError
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.services.calls.call_log import AnsweredCall, CallLog
from app.store import tables
from tests.integration.api.calling import Answer, Caller, Catalog
from tests.support.upstream import Upstream, reply

NOW = datetime.now(UTC).replace(microsecond=0)
REASON = {"code": "http_500", "message": "it broke", "resource": "users", "at": "2026-01-01T00:00:00.000Z"}


class Book:
    """One environment's log, and how its rows come about where no daemon runs."""

    def __init__(self, api: Caller, engine: Engine, catalog: Catalog) -> None:
        self.api = api
        self.catalog = catalog
        self._engine = engine

    def run(self, **body: Any) -> str:
        made = self.api.post("/sync-job-run", {**self.catalog.run_body, **body})
        assert made.status == 201, made.body
        self.change(made.body["id"], minutes_ago=1)
        return str(made.body["id"])

    def change(self, run_id: str, *, minutes_ago: float = 0.0, **values: Any) -> None:
        """Set what a daemon would have, and let the run be as old as that."""
        values = {"created_at": NOW - timedelta(minutes=minutes_ago), **values}
        sets = ", ".join(f"{name} = :{name}" for name in values)
        given = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in values.items()}
        with self._engine.begin() as connection:
            connection.execute(text(f"update sync_job_run set {sets} where id = :id"), {**given, "id": run_id})

    def put(self, table: str, **values: Any) -> str:
        target = tables.metadata.tables[table]
        values = {"id": new_id(), **values}
        with self._engine.begin() as connection:
            connection.execute(insert(target).values(**values))
        return str(values["id"])

    def webhook(self, **body: Any) -> str:
        made: Mapping[str, Any] = self.api.post("/webhook", {"target_url": "https://x.example.com", **body}).body
        return str(made["id"])

    def delivery(self, run_id: str | None, webhook_id: str, event: str = "sync_job_run:record", **values: Any) -> str:
        fixed = {"webhook_id": webhook_id, "event": event, "body": b"", "status": "delivered", "attempts": 1}
        return self.put("delivery", run_id=run_id, **{**fixed, "created_at": NOW, **values})

    def read(self, kind: str = "rapid_bridge", **query: Any) -> list[JsonObject]:
        answer = self.ask(kind, **query)
        assert answer.status == 200, answer.body
        return list(answer.body["result"])

    def ask(self, kind: str = "rapid_bridge", **query: Any) -> Answer:
        return self.api.get("/log", log_type=kind, **query)

    def pages(self, kind: str = "rapid_bridge", *, limit: int, **query: Any) -> list[JsonObject]:
        """Read on to the end."""
        found: list[JsonObject] = []
        cursor = ""
        while True:
            answer = self.ask(kind, limit=limit, next_cursor=cursor, **query).body
            assert 0 < len(answer["result"]) <= limit
            found += answer["result"]
            cursor = answer["next_cursor"]
            if cursor is None:
                return found


def names(entries: list[JsonObject]) -> list[str]:
    return [entry["sync_job_run_event"].removeprefix("sync_job_run:") for entry in entries]


@pytest.fixture
def book(api: Caller, engine: Engine, catalog: Catalog) -> Book:
    return Book(api, engine, catalog)


def test_failed_daemon_run_tells_its_whole_story_with_the_reason(book: Book, environment_id: str) -> None:
    run_id = book.run()
    ended = {"started_at": NOW - timedelta(minutes=9), "finished_at": NOW - timedelta(minutes=5)}
    book.change(run_id, minutes_ago=10, status="failed", error=REASON, **ended)
    of_run = {"run_id": run_id, "environment_id": environment_id, "created_at": NOW - timedelta(minutes=6)}
    book.put("run_error", **of_run, resource="users", method="list", code="http_500", message="x", details={"at": 1})

    failed, error, started, created = book.read(sync_job_run_id=run_id)

    assert names([failed, error, started, created]) == ["failed", "record_error", "started", "created"]
    assert (failed["status"], failed["error"], failed["logs"]) == ("failed", REASON, ["http_500: it broke"])
    assert (error["resource"], error["method"], error["sync_job_request_type"]) == ("users", "list", "proxy")
    assert error["error"] == {"code": "http_500", "message": "x", "at": 1}
    assert (started["timestamp"], started["created_at"]) != (created["timestamp"], created["timestamp"])
    assert started["created_at"] == created["created_at"] == created["timestamp"]
    assert {entry["sync_job_id"] for entry in (failed, error)} == {book.catalog.job["id"]}
    assert {entry["integration"] for entry in (failed, error, started, created)} == {"acme"}
    assert {entry["environment_id"] for entry in (failed, created)} == {environment_id}
    assert (created["webhook_id"], created["delivery_status"], created["webhook_successful"]) == (None, None, None)
    assert len({entry["id"] for entry in (failed, error, started, created)}) == 4
    assert book.read("sync_job_run", sync_job_run_id=run_id)[0] == {**failed, "log_type": "sync_job_run"}


def test_deliveries_of_a_run_tell_what_was_sent_and_how_it_was_taken(book: Book) -> None:
    webhook_id = book.webhook()
    run_id = book.run(webhook_id=webhook_id)
    resource_id = _resource_id(book, run_id)
    at = [NOW + timedelta(seconds=number) for number in range(4)]
    book.delivery(run_id, webhook_id, resource_id=resource_id, records=25, last_status_code=202, created_at=at[0])
    refused = {"status": "dead_lettered", "attempts": 3, "last_status_code": 503, "last_error": "answered 503"}
    book.delivery(run_id, webhook_id, resource_id=resource_id, records=2, created_at=at[1], **refused)
    told = {"resource": "users", "method": "list", "retryAfter": 30}
    body = json.dumps({"payload": told}).encode()
    book.delivery(run_id, webhook_id, "sync_job_run:rate_limited", body=body, status="pending", created_at=at[2])
    failed = json.dumps({"payload": {"error": REASON}}).encode()
    book.delivery(run_id, webhook_id, "sync_job_run:failed", body=failed, created_at=at[3])
    book.delivery(run_id, webhook_id, "webhook:disabled", created_at=at[3])

    last, limited, dead, taken, created = book.read(sync_job_run_id=run_id)

    assert names([last, limited, dead, taken, created]) == ["failed", "rate_limited", "record", "record", "created"]
    facts = ("num_records", "retry_count", "delivery_status", "webhook_status", "webhook_successful", "resource")
    assert [taken[name] for name in facts] == [25, 0, "delivered", 202, True, "users"]
    assert [dead[name] for name in facts] == [2, 2, "dead_lettered", 503, False, "users"]
    assert dead["logs"] == ["answered 503"]
    assert [limited[name] for name in facts] == [None, 0, "pending", None, None, "users"]
    assert (limited["retry_after"], limited["status"]) == (30, "rate_limited")
    assert (last["error"], last["webhook_id"]) == (REASON, webhook_id)


def _resource_id(book: Book, run_id: str) -> str:
    with book._engine.connect() as connection:
        return str(connection.execute(text("select id from run_resource where run_id = :id"), {"id": run_id}).scalar())


def test_run_that_waits_for_its_upstream_tells_for_how_long(book: Book) -> None:
    run_id = book.run()
    book.change(run_id, status="rate_limited", updated_at=NOW, retry_after=NOW + timedelta(seconds=29.5))

    (waiting,) = book.read(sync_job_run_event="rate_limited")

    assert (waiting["retry_after"], waiting["sync_job_run_id"]) == (30, run_id)


def test_log_is_read_to_its_end_in_pages_of_any_size_and_either_order(book: Book, environment_id: str) -> None:
    webhook_id = book.webhook()
    for number in range(4):
        run_id = book.run(webhook_id=webhook_id)
        ended = {"started_at": NOW, "finished_at": NOW - timedelta(minutes=number % 2)}
        book.change(run_id, minutes_ago=3 + number // 2, status="stopped", **ended)
        book.delivery(run_id, webhook_id, created_at=NOW - timedelta(minutes=2))
        at = {"environment_id": environment_id, "created_at": NOW - timedelta(minutes=2)}
        book.put("run_error", run_id=run_id, code="x", message="x", **at)
    whole = book.read()

    assert len(whole) == 20
    assert [entry["created_at"] for entry in whole] == sorted((one["created_at"] for one in whole), reverse=True)
    for limit in (1, 2, 3, 7, 19, 20):
        assert book.pages(limit=limit) == whole
        assert book.pages(limit=limit, sort="created_at") == whole[::-1]
    assert book.pages(limit=3, sync_job_run_event="started") == [e for e in whole if e["status"] == "running"]
    assert book.ask(next_cursor="made-up").paths == ["next_cursor"]
    assert book.ask(next_cursor=_forged("2026-01-01", new_id(), "0")).paths == ["next_cursor"]
    assert book.ask(next_cursor=_forged("never", new_id(), "0")).paths == ["next_cursor"]


def _forged(*values: str) -> str:
    from app.store.db.paging import encode_cursor

    return encode_cursor(*values)


def test_runs_are_narrowed_by_what_they_are_of(book: Book) -> None:
    webhook_id, other = book.webhook(), book.webhook()
    of_webhook, of_daemon = book.run(webhook_id=webhook_id), book.run()
    book.delivery(of_webhook, webhook_id)
    book.delivery(of_webhook, other)
    job = book.api.post("/sync-job", {"integration_name": "acme", "resources": book.catalog.job["resources"]}).body
    of_job = book.run(sync_job_id=job["id"])

    def runs(**query: Any) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for entry in book.read(**query):
            found.setdefault(entry["sync_job_run_id"], []).append(names([entry])[0])
        return found

    assert runs(webhook_id=webhook_id) == {of_webhook: ["record", "created"]}
    assert runs(webhook_id=other) == {of_webhook: ["record"]}
    assert runs(webhook_id=webhook_id, sync_job_run_id=of_webhook) == {of_webhook: ["record", "created"]}
    assert runs(sync_job_id=job["id"]) == {of_job: ["created"]}
    assert set(runs(integrated_account_id=book.catalog.account["id"])) == {of_webhook, of_daemon, of_job}
    assert set(runs(integration="acme")) == {of_webhook, of_daemon, of_job}
    assert runs(environment_id=new_id()) == runs(integration="other") == runs(sync_job_run_id=new_id()) == {}
    assert runs(**{"sync_job_run_event[in]": "record,sync_job_run:failed"}) == {of_webhook: ["record", "record"]}
    assert runs(**{"sync_job_run_event[in]": "record", "sync_job_run_event": "created"}) == {}


def test_filters_have_two_spellings(book: Book) -> None:
    first, second = book.run(), book.run()
    wrapped = {"log_type_filter[sync_job_run_id]": first, "log_type_filter[sync_job_run_event]": "created"}

    assert [entry["sync_job_run_id"] for entry in book.read(**wrapped)] == [first]
    assert len(book.read(**{"log_type_filter[sync_job_run_id][in]": f"{first},{second}"})) == 2
    assert book.ask(**{"log_type_filter[sync_job_run_id]": "x"}).paths == ["sync_job_run_id"]
    strict = {"Prefer": "handling=strict"}
    query = {"log_type": "rapid_bridge", **wrapped, "log_type_filter[sync_job_id][in]": new_id()}
    assert book.api.call("GET", "/log", query_string=query, headers=strict).body["result"] == []
    query["log_type_filter[nothing]"] = "x"
    assert book.api.call("GET", "/log", query_string=query, headers=strict).paths == ["log_type_filter[nothing]"]


def test_log_spans_a_month_at_most(book: Book) -> None:
    old, recent = book.run(), book.run()
    book.change(old, minutes_ago=40 * 24 * 60)
    long_ago, later = NOW - timedelta(days=45), NOW - timedelta(days=35)

    assert {entry["sync_job_run_id"] for entry in book.read()} == {recent}
    asked = book.ask(**{"created_at[gt]": long_ago.isoformat()})
    assert (asked.status, asked.paths) == (400, ["created_at[gt]"])
    window = {"created_at[gte]": long_ago.isoformat(), "created_at[lt]": later.isoformat()}
    assert {entry["sync_job_run_id"] for entry in book.read(**window)} == {old}


@pytest.mark.parametrize("kind", ["rapid_bridge", "sync_job_run", "webhook", "unified_proxy_api"])
def test_what_can_not_be_asked_is_told(book: Book, kind: str) -> None:
    asked = book.ask(kind, limit=101, sync_job_cron_trigger_id=new_id())

    assert (asked.status, asked.paths) == (400, ["limit", "sync_job_cron_trigger_id"])
    assert book.ask(kind, status="no status").paths == ["status"]


@pytest.mark.parametrize("kind", ["mcp", "", "runs"])
def test_unknown_kind_is_refused_with_those_that_there_are(book: Book, kind: str) -> None:
    asked = book.ask(kind)

    assert (asked.status, asked.paths) == (400, ["log_type"])
    if kind:
        known = "sync_job_cron_trigger, rapid_bridge, sync_job_run, webhook, unified_proxy_api"
        assert known in asked.body["details"]["failures"][0]["message"]


def test_deliveries_of_all_webhooks_are_listed_together(book: Book, stranger: Caller) -> None:
    webhooks = [book.webhook() for _ in range(3)]
    run_id = book.run(webhook_id=webhooks[0])
    ids = [
        book.delivery(run_id if number % 3 == 0 else None, webhooks[number % 3], created_at=NOW + timedelta(seconds=1))
        for number in range(6)
    ]
    told = {"status": "pending", "last_status_code": 503, "last_error": "answered 503"}
    newest = book.delivery(None, webhooks[1], "webhook:disabled", created_at=NOW + timedelta(seconds=9), **told)

    entries = book.read("webhook")

    assert {entry["id"] for entry in entries} == {newest, *ids}
    first = entries[0]
    facts = {"id": newest, "event": "webhook:disabled", "webhook_id": webhooks[1], "webhook_endpoint_status": 503}
    assert {
        **facts,
        "status": "pending",
        "last_error": "answered 503",
        "sync_job_run_id": None,
    }.items() <= first.items()
    assert "body" not in first
    for limit in (1, 2, 6):
        assert book.pages("webhook", limit=limit) == entries
        assert book.pages("webhook", limit=limit, sort="created_at") == entries[::-1]
    assert [entry["id"] for entry in book.read("webhook", status="pending")] == [newest]
    assert [entry["id"] for entry in book.read("webhook", event="webhook:disabled")] == [newest]
    assert {entry["id"] for entry in book.read("webhook", sync_job_run_id=run_id)} == {ids[0], ids[3]}
    assert book.read("webhook", sync_job_run_id=run_id, webhook_id=webhooks[1]) == []
    assert {entry["webhook_id"] for entry in book.read("webhook", webhook_id=webhooks[2])} == {webhooks[2]}
    assert stranger.get("/log", log_type="webhook", sync_job_run_id=run_id).body["result"] == []


class Calls:
    """An account whose upstream is a server of the test's."""

    def __init__(self, api: Caller, upstream: Upstream) -> None:
        self.api = api
        config = {"base_url": upstream.url, "headers": {"X-Key": "{{api_key}}"}, "response_path": "data"}
        assert api.post("/integration", {"name": "acme", "config": config}).status == 201
        body = {"integration_name": "acme", "tenant_id": "t", "context": {"api_key": "canary-key"}}
        self.account_id = api.post("/integrated-account", body).body["id"]

    def get(self, path: str, **query: Any) -> Answer:
        return self.api.get(path, integrated_account_id=self.account_id, **query)

    def logged(self, **query: Any) -> list[JsonObject]:
        answer = self.api.get("/log", log_type="unified_proxy_api", **query)
        assert answer.status == 200, answer.body
        return list(answer.body["result"])


@pytest.fixture
def calls(api: Caller, upstream: Upstream) -> Calls:
    return Calls(api, upstream)


def test_direct_calls_are_logged_with_what_they_were_answered(
    calls: Calls, upstream: Upstream, stranger: Caller, environment_id: str
) -> None:
    upstream.lists("/people", [{"id": "1"}])
    upstream.answers("/teams", reply({"error": "no such thing"}, 404))
    taken, refused = calls.get("/proxy/people", secret="canary-query"), calls.get("/proxy/teams")
    unknown = calls.get("/unified/crm/contacts/7")
    nameless = calls.api.get("/proxy/people")
    strangers = new_id()
    calls.api.get("/proxy/people", integrated_account_id=strangers)

    entries = calls.logged()

    assert [entry["response_status"] for entry in entries] == [404, 400, unknown.status, 404, 200]
    ok, failed, by_model, without = entries[4], entries[3], entries[2], entries[1]
    facts = {"integrated_account_id": calls.account_id, "resource": "people", "method": "list", "api": "proxy"}
    assert {**facts, "error": None, "request_id": taken.headers["X-Request-Id"]}.items() <= ok.items()
    assert ok["duration_ms"] >= 0
    assert (failed["error"], failed["request_id"]) == (refused.body["message"], refused.headers["X-Request-Id"])
    assert [by_model[name] for name in ("resource", "method", "api")] == ["crm/contacts", "get", "unified"]
    assert (without["integrated_account_id"], without["error"]) == (None, nameless.body["message"])
    assert "canary" not in json.dumps(entries)
    assert entries[0]["integrated_account_id"] is None
    assert strangers in entries[0]["error"]
    assert [entry["id"] for entry in calls.logged(resource="teams", method="list")] == [failed["id"]]
    assert stranger.get("/log", log_type="unified_proxy_api").body["result"] == []
    assert {entry["environment_id"] for entry in entries} == {environment_id}


def test_custom_calls_are_logged_without_their_paths_and_the_words_of_the_api(calls: Calls, upstream: Upstream) -> None:
    upstream.answers("/secret-path", reply({"message": "canary-word"}, 404))
    calls.get("/custom/secret-path")
    calls.get("/custom/../up")

    refused, passed_on = calls.logged()

    facts = {"api": "custom", "resource": None, "method": "get", "integrated_account_id": calls.account_id}
    assert {**facts, "response_status": 404, "error": None}.items() <= passed_on.items()
    assert {**facts, "response_status": 400}.items() <= refused.items()
    assert "canary" not in json.dumps([refused, passed_on])
    assert "secret-path" not in json.dumps([refused, passed_on])


def test_what_is_called_by_an_accounts_own_token_is_logged_with_the_account(
    calls: Calls, upstream: Upstream, app: Any
) -> None:
    upstream.lists("/people", [{"id": "1"}])
    body = {"integrated_account_id": calls.account_id}
    token = calls.api.post("/integrated-account/token", body).body["integrated_account_token"]

    own = Caller(app.test_client(), token)
    assert own.get("/proxy/people").status == 200

    assert [entry["integrated_account_id"] for entry in calls.logged()] == [calls.account_id]
    assert own.get("/log", log_type="unified_proxy_api").status == 403


def test_what_calls_nothing_is_not_logged(calls: Calls, app: Any) -> None:
    client: FlaskClient = app.test_client()
    assert client.get("/proxy/people").status_code == 401
    calls.get("/unified/crm/contacts/meta/list")

    assert calls.logged() == []


def test_call_is_answered_though_it_can_not_be_logged(
    calls: Calls, upstream: Upstream, services: ApiServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(id: str, call: AnsweredCall) -> None:
        raise StoreUnavailableError

    upstream.lists("/people", [{"id": "1"}])
    monkeypatch.setattr(services.calls.log, "_add", fail)
    assert isinstance(services.calls.log, CallLog)

    assert calls.get("/proxy/people").body["result"] == [{"id": "1"}]
    assert calls.logged() == []


def test_characters_that_no_row_holds_are_no_fault(calls: Calls) -> None:
    answered = calls.get("/proxy/%00x").status

    assert [(entry["resource"], entry["response_status"]) for entry in calls.logged()] == [("x", answered)]
