"""The pages of runs: every filter, one run with all that is known of it, and actions on all that match."""

import html
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, insert, text, update

from app.api.resources.services import ApiServices
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId, Role
from app.engine.runs.work import draft_error
from app.services.runs.requests import RunRequest
from app.store import tables
from tests.integration.ui.visiting import MARKUP, Visitor

_RESOURCES = [
    {"resource": "teams", "method": "list"},
    {"resource": "users", "method": "list", "depends_on": "teams", "id": "{{resources.teams.id}}", "persist": True},
]


class Place:
    """An environment with a job and an account, whose runs are made as a test wants them."""

    def __init__(self, services: ApiServices, engine: Engine, environment_id: EnvironmentId) -> None:
        self.services, self.engine, self.environment = services, engine, environment_id
        services.integrations.create(environment_id, {"name": "acme", "config": {"base_url": "http://a.invalid"}})
        body = {"integration_name": "acme", "tenant_id": MARKUP, "context": {"api_key": "canary-secret-key"}}
        self.account = services.accounts.create(environment_id, body).id
        self.job = services.jobs.create(
            environment_id, {"integration_name": "acme", "resources": _RESOURCES, "label": MARKUP}
        ).id

    def run(self, *, status: str = "created", **changes: object) -> str:
        request = RunRequest(
            sync_job_id=self.job, integrated_account_id=self.account, args={"plan": "pro", "note": MARKUP}
        )
        id = self.services.runs.create(self.environment, request)[0].id
        ended = {"finished_at": datetime.now(UTC)} if status in ("completed", "failed", "stopped") else {}
        self.change(tables.sync_job_run, id, status=status, **ended, **changes)
        return id

    def change(self, table: object, run_id: str, **values: object) -> None:
        column = table.c.id if table is tables.sync_job_run else table.c.run_id  # type: ignore[attr-defined]
        with self.engine.begin() as connection:
            connection.execute(update(table).where(column == run_id).values(**values))  # type: ignore[arg-type]

    def put(self, table: object, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(insert(table).values(id=new_id(), **values))  # type: ignore[arg-type]

    def fill(self, run_id: str) -> None:
        """Give a run units, errors, deliveries and counters, all full of markup."""
        with self.engine.connect() as connection:
            statement = text("select id from run_resource where run_id = :id and name = 'users'")
            resource = connection.execute(statement, {"id": run_id}).scalar_one()
        self.put(tables.unit, run_id=run_id, resource_id=resource, kind="fetch", status="ready", elements=[{}, {}])
        error = draft_error("http_500", MARKUP, at=datetime.now(UTC))
        details = {"status": 500, "excerpt": f"answer {MARKUP}", "parents": {"teams": MARKUP}}
        for resource_name in ("users", "users", MARKUP):
            self.put(
                tables.run_error,
                **{"run_id": run_id, "environment_id": self.environment, "resource": resource_name},
                **{"method": "list", "code": error.code, "message": error.message, "details": details},
            )
        webhook = new_id()
        self.put(
            tables.delivery,
            **{"run_id": run_id, "webhook_id": webhook, "event": MARKUP, "body": b"{}", "last_error": MARKUP},
            **{"status": "dead_lettered", "attempts": 3, "last_status_code": 500},
        )
        warnings = {MARKUP: {"count": 1, "message": MARKUP}}
        counted = {"errors": 2, "unproven": 1, "pages": 1}
        self.change(tables.run_resource, run_id, warnings=warnings, reading={MARKUP: MARKUP}, **counted)
        self.change(tables.sync_job_run, run_id, webhook_id=webhook, mutex_key=MARKUP, daemon_group_key=None)


@pytest.fixture
def place(services: ApiServices, engine: Engine, environment_id: EnvironmentId) -> Place:
    return Place(services, engine, environment_id)


@pytest.fixture
def runner(visitor_of: Callable[[Role], Visitor]) -> Visitor:
    return visitor_of(Role.RUN)


def ids_of(links: list[str]) -> list[str]:
    return [one.removeprefix("/ui/runs/") for one in links if one.startswith("/ui/runs/")]


def test_runs_are_found_by_every_filter(place: Place, reader: Visitor) -> None:
    failed = place.run(status="failed", error={"code": "books", "message": MARKUP})
    done = place.run(status="completed")
    filters = {
        "status=failed": [failed],
        "status=failed&status=completed": [done, failed],
        f"job={place.job}": [done, failed],
        f"account={new_id()}": [],
        "tenant=nobody": [],
        "args=plan%3Dpro": [done, failed],
        "args=plan%3Dfree": [],
        "error=books": [failed],
        "since=2001-01-01&until=2001-01-02": [],
        "since=2001-01-01": [done, failed],
        "": [done, failed],
    }

    seen = {query: reader.get(f"/ui/runs?{query}") for query in filters}

    assert {query: ids_of(one.links) for query, one in seen.items()} == filters
    assert "2 runs" in seen[""].words
    assert "1 run" in seen["status=failed"].words


def test_filters_that_do_not_work_are_told_and_kept(reader: Visitor) -> None:
    seen = reader.get("/ui/runs?status=done&job=7&args=x&since=yesterday&tenant=kept&colour=red")

    assert seen.status == 400
    for text_of_fault in (
        "colour is not a filter of runs",
        "is no status",
        "expected a UUID",
        "expected path=value",
        "expected an ISO-8601 time",
    ):
        assert text_of_fault in seen.words
    assert 'value="kept"' in seen.text
    assert seen.actions == []
    assert reader.get("/ui/runs?cursor=nonsense").status == 400


def test_pages_follow_each_other(place: Place, reader: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.ui.screens.runs._PAGE", 2)
    ids = [place.run() for _ in range(3)]

    first = reader.get("/ui/runs?status=created")
    (following,) = [one for one in first.links if "cursor=" in one]
    second = reader.get(following)

    assert [*ids_of(first.links), *ids_of(second.links)] == ids[::-1]
    assert "status=created" in following


@pytest.mark.parametrize("status", ["created", "running", "rate_limited", "completed", "failed", "stopped"])
def test_run_shows_all_that_is_known_of_it_and_nothing_as_markup(place: Place, runner: Visitor, status: str) -> None:
    id = place.run(status=status, error={"code": "x", "message": MARKUP} if status == "failed" else None)
    place.fill(id)

    page, part, verified = (runner.get(f"/ui/runs/{id}{rest}") for rest in ("", "/live", "/verify"))

    for seen in (page, part, verified, runner.get("/ui/runs")):
        assert seen.status == 200
        assert "<img" not in seen.text.replace('<img src="/ui/static', "")
        assert "canary-secret-key" not in seen.text
    for words in (
        "2 × http_500 users list",
        "waits for a daemon",
        "1 unproven",
        "dead lettered",
    ):
        assert words in " ".join([page.words, part.words])
    assert f"answer {MARKUP}" in html.unescape(part.text)
    assert page.fragments == [f"/ui/runs/{id}/live"]
    assert f"ferryman run create {place.job} {place.account}" in page.words


HOUR_AWAY = datetime(2999, 1, 1, 12, tzinfo=UTC)


def test_run_says_what_it_waits_for(place: Place, reader: Visitor) -> None:
    """Each cause is brought about where its owner would find it: in Postgres."""
    unheard = place.run()
    first = place.run(status="running", mutex_key="one")
    second = place.run(mutex_key="one")
    limited = place.run(status="rate_limited", retry_after=HOUR_AWAY)
    place.put(tables.unit, run_id=limited, kind="fetch", status="ready", wake_at=HOUR_AWAY)
    frozen = place.run(status="running")
    place.put(
        tables.unit, run_id=frozen, kind="fetch", status="leased", lease_expires_at=datetime(2001, 1, 1, tzinfo=UTC)
    )
    webhook = new_id()
    unsent = place.run(status="running", webhook_id=webhook, daemon_group_key=None)
    place.put(tables.unit, run_id=unsent, kind="delivery", status="ready", wake_at=HOUR_AWAY)
    failing = {"attempts": 2, "last_error": "timed out", "event": "sync_job_run:record", "body": b"{}"}
    place.put(tables.delivery, run_id=unsent, webhook_id=webhook, **failing)

    earlier = datetime.now(UTC) - timedelta(hours=1)
    landing = place.run(status="running", created_at=earlier, started_at=earlier, landing_since=earlier)

    said = {
        landing: "waited 1 h 0 min for its destinations",
        unheard: "It waits for the broker, to which nothing can be published",
        second: f"It waits for run {first}, which goes first: both have the mutex key 'one'",
        limited: "It waits for its upstream, which asked for that, until 2999-01-01 12:00:00 UTC",
        frozen: "It waits for its daemon, which has had a unit of deliveries and gave no sign of life on it for",
        unsent: "the last of 2 attempts at the next one: timed out",
    }
    for run_id, words in said.items():
        assert words in reader.get(f"/ui/runs/{run_id}").words
    assert f"/ui/runs/{first}" in reader.get(f"/ui/runs/{second}").links
    assert "waits for the upstream's limit until" in reader.get(f"/ui/runs/{limited}").words


def test_buttons_are_those_that_can_act(place: Place, runner: Visitor, reader: Visitor) -> None:
    live, failed, done = place.run(status="running"), place.run(status="failed"), place.run(status="completed")
    place.fill(done)

    shown = {
        id: {one.rpartition("/")[2] for one in runner.get(f"/ui/runs/{id}").actions} for id in (live, failed, done)
    }

    assert shown == {live: {"stop", "delete"}, failed: {"resume", "delete"}, done: {"resume", "delete"}}
    assert "Retry errors" in runner.get(f"/ui/runs/{done}").words
    for id in (live, failed, done):
        assert reader.get(f"/ui/runs/{id}").actions == []
        for action in ("stop", "resume", "delete"):
            assert reader.post(f"/ui/runs/{id}/{action}").status == 403


def test_run_is_stopped_resumed_and_deleted(place: Place, runner: Visitor) -> None:
    id = place.run(status="running")

    stopped = runner.post(f"/ui/runs/{id}/stop")
    after = place.services.runs.get(place.environment, id).status
    again = runner.post(f"/ui/runs/{id}/stop")
    resumed = runner.post(f"/ui/runs/{id}/resume")
    created = place.services.runs.get(place.environment, id).status
    runner.post(f"/ui/runs/{id}/stop")
    nothing = runner.post(f"/ui/runs/{id}/resume", errors_only="true")
    gone = runner.post(f"/ui/runs/{id}/delete")

    assert [one.status for one in (stopped, again, resumed, gone)] == [303] * 4
    assert (after, created) == ("stopped", "created")
    assert (nothing.status, "no request of the run has failed" in nothing.words) == (400, True)
    assert runner.get(f"/ui/runs/{id}").status == 404


def test_run_that_is_deleted_while_it_is_watched_says_so(place: Place, runner: Visitor) -> None:
    id = place.run(status="completed")
    tag = runner.part(f"/ui/runs/{id}/live").headers["ETag"]
    unchanged = runner.part(f"/ui/runs/{id}/live", If_None_Match=tag)

    place.services.runs.delete(place.environment, id)
    gone = runner.part(f"/ui/runs/{id}/live", If_None_Match=tag)

    assert unchanged.status == 304
    assert (gone.status, gone.text) == (404, "This does not exist any more.")


@pytest.mark.parametrize("id", ["nonsense", new_id()], ids=["nonsense", "unknown"])
def test_run_of_nobody_and_of_another_environment_is_not_there(
    id: str, place: Place, runner: Visitor, services: ApiServices, engine: Engine
) -> None:
    for path in (f"/ui/runs/{id}", f"/ui/runs/{id}/live", f"/ui/runs/{id}/verify", f"/ui/bulk-actions/{id}"):
        assert runner.get(path).status == 404
    assert runner.post(f"/ui/runs/{id}/stop").status == 404
    assert runner.post(f"/ui/bulk-actions/{id}/confirm").status == 404


def test_all_that_match_are_counted_confirmed_and_watched(place: Place, runner: Visitor, reader: Visitor) -> None:
    live = place.run(status="running")
    place.run(status="completed")
    form = [one for one in runner.get("/ui/runs?args=plan%3Dpro").actions if one == "/ui/bulk-actions"]

    counted = runner.post("/ui/bulk-actions", kind="stop", args="plan=pro", status=["running", "completed"])
    address = counted.headers["Location"]
    page = runner.get(address)
    confirmed = runner.post(f"{address}/confirm")
    acting = runner.get(address)
    cancelled = runner.post(f"{address}/cancel")

    assert len(form) == 3
    assert (page.heading, page.actions) == ("Stop 1 run", [f"{address}/confirm", f"{address}/cancel"])
    assert "args plan=pro" in page.words
    assert confirmed.status == cancelled.status == 303
    assert (acting.actions, "acting" in acting.words) == ([f"{address}/cancel"], True)
    runner.get(address)  # says once that it was cancelled
    listed = runner.get("/ui/bulk-actions")
    assert (listed.status, "cancelled Stop 1" in listed.words) == (200, True)
    assert reader.get(address).actions == []
    assert reader.post("/ui/bulk-actions", kind="stop").status == 403
    assert place.services.runs.get(place.environment, live).status == "running"


def test_bulk_action_that_can_not_be_says_why(place: Place, runner: Visitor) -> None:
    unknown = runner.post("/ui/bulk-actions", kind="explode")
    wrong = runner.post("/ui/bulk-actions", kind="stop", job="7", tenant=MARKUP)
    none = runner.get(runner.post("/ui/bulk-actions", kind="stop", tenant=MARKUP).headers["Location"])

    assert (unknown.status, wrong.status) == (400, 400)
    assert "expected one of stop, resume, retry_errors" in unknown.words
    assert "There is nothing to do for any run." in none.words
    assert "<img" not in none.text.replace('<img src="/ui/static', "")
