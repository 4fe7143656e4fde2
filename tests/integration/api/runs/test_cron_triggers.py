"""Cron triggers over HTTP: their life, their faults, and runs that are made once per due time."""

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from app.engine.json_types import JsonObject
from app.engine.objects.triggers import BEGUN
from app.services.contexts.account_configs import ShownContexts
from app.services.ports import QueueState
from app.services.runs.drafts import RunDrafts
from app.services.schedules.scheduler import CronScheduler
from app.services.unified.mappings import UnifiedMappings
from app.settings import Settings
from app.store.catalog.integrations import IntegrationStore
from app.store.catalog.unified_models import UnifiedModelStore
from app.store.catalog.webhooks import WebhookStore
from app.store.db.database import connect
from app.store.runs.references import RunReferenceStore
from app.store.schedules.triggers import TriggerStore
from app.store.secrets.encryption import Cipher
from app.store.secrets.encryption_keys import KeyStore
from tests.integration.api.calling import Caller, Catalog

PATH = "/sync-job-cron-trigger"


@pytest.fixture
def trigger(api: Caller, catalog: Catalog) -> JsonObject:
    """A trigger that sleeps."""
    made: JsonObject = api.post(PATH, {**catalog.run_body, "cron_expression": "0 6 * * *"}).body
    return made


class InlineDispatcher:
    """A broker that is away."""

    def dispatch(self, wake_ups: object) -> bool:
        return False

    def publish(self, task: str, args: list[str], *, queue: str) -> bool:
        return False

    def dispatch_again(self, run_id: str, unit_id: str | None, *, queue: str) -> bool:
        return False

    def look_at(self, queues: object) -> dict[str, QueueState]:
        return {}

    def is_reachable(self) -> bool:
        return False

    def dispatch_run(self, run_id: str, *, queue: str) -> bool:
        return False


def remove_nothing(message_id: int) -> None:
    raise AssertionError(message_id)


def scheduler(engine: Engine, settings: Settings) -> CronScheduler:
    cipher = Cipher(settings.encryption_key, KeyStore(engine))
    drafts = RunDrafts(
        read_references=RunReferenceStore(engine, cipher).read,
        webhooks=WebhookStore(engine, cipher),
        unified=UnifiedMappings(UnifiedModelStore(engine).read_layers),
        shown_contexts=ShownContexts(IntegrationStore(engine, cipher)),
        default_group="default",
        default_overlap_seconds=0,
    )
    return CronScheduler(
        triggers=TriggerStore(engine),
        drafts=drafts,
        remove_message=remove_nothing,
        dispatcher=InlineDispatcher(),
        monotonic=lambda: 0.0,
    )


def make_due(engine: Engine, trigger_id: str, ago: str = "1 second") -> None:
    statement = text("update sync_job_cron_trigger set next_run_at = now() - cast(:ago as interval) where id = :id")
    with engine.begin() as connection:
        connection.execute(statement, {"id": trigger_id, "ago": ago})


def test_trigger_is_created_asleep_shown_changed_and_deleted(api: Caller, catalog: Catalog) -> None:
    body = {**catalog.run_body, "cron_expression": "0 6 * * 1-5", "timezone": "Europe/Berlin", "args": {"a": 1}}
    answer = api.post(PATH, {**body, "error_handling": "fail_fast", "meta": {"owner": "ops"}, "super_query": None})

    made = answer.body
    assert (answer.status, answer.headers["Location"]) == (201, f"{PATH}/{made['id']}")
    assert {name: made[name] for name in body} == body
    assert (made["enabled"], made["next_run_at"], made["last_run"], made["resources"]) == (False, None, None, None)
    assert api.get(f"{PATH}/{made['id']}").body == made
    changed = api.patch(f"{PATH}/{made['id']}", {"meta": None, "daemon_group_key": "g"}).body
    assert (changed["meta"], changed["daemon_group_key"]) == (None, "g")
    assert api.delete(f"{PATH}/{made['id']}").body == {"id": made["id"]}
    assert api.get(f"{PATH}/{made['id']}").status == 404
    assert api.delete(f"{PATH}/{made['id']}").status == 404


def test_schedule_wakes_a_trigger_and_a_new_time_puts_it_to_sleep(api: Caller, trigger: JsonObject) -> None:
    path = f"{PATH}/{trigger['id']}"

    assert api.call("POST", f"{path}/schedule", headers={"Content-Type": "application/json"}).body == {"success": True}

    awake = api.get(path).body
    assert awake["enabled"]
    assert awake["next_run_at"] > datetime.now(UTC).isoformat()
    assert api.patch(path, {"cron_expression": "0 6 * * *"}).body["enabled"]
    moved = api.patch(path, {"cron_expression": "0 7 * * *"}).body
    assert (moved["enabled"], moved["next_run_at"]) == (False, None)
    both = api.patch(path, {"cron_expression": "0 8 * * *", "enabled": True}).body
    assert both["next_run_at"].endswith("T08:00:00.000Z")
    assert api.patch(path, {"enabled": False}).body["next_run_at"] is None


def test_all_faults_are_told_at_once(api: Caller, catalog: Catalog) -> None:
    wrong = {
        "cron_expression": "every day",
        "timezone": "Mars",
        "error_handling": "?",
        "super_query": "apac",
        "events_to_send": ["a"],
    }
    other = {"daemon_group_key": "g", "webhook_id": "0c9e9bd4-3d3c-4b5e-9a37-1f1f0e1c2b3a", "resources": [{}]}

    answer = api.post(PATH, {**catalog.run_body, **wrong, **other})

    assert answer.status == 400
    expected = {*wrong, "daemon_group_key", "webhook_id"} - {"events_to_send"} | {"events_to_send[0]"}
    assert expected <= set(answer.paths)
    assert api.post(PATH, {}).paths == ["cron_expression", "integrated_account_id", "sync_job_id"]


def test_ids_can_not_be_changed(api: Caller, trigger: JsonObject) -> None:
    path = f"{PATH}/{trigger['id']}"

    assert api.patch(path, {"sync_job_id": trigger["id"]}).paths == ["sync_job_id"]
    assert api.patch(path, {"sync_job_id": trigger["sync_job_id"]}).status == 200
    assert api.patch(path, {"cron_expression": "x", "args": {}}).paths == ["cron_expression"]


def test_list_is_narrowed(api: Caller, catalog: Catalog, trigger: JsonObject) -> None:
    awake = api.post(PATH, {**catalog.run_body, "cron_expression": "* * * * *", "enabled": True}).body

    def ids(**query: str) -> list[str]:
        return [found["id"] for found in api.get(PATH, **query).body["result"]]

    assert ids() == [awake["id"], trigger["id"]]
    assert ids(enabled="true", sync_job_id=catalog.job["id"]) == [awake["id"]]
    assert ids(integrated_account_id=trigger["id"]) == []


def test_strangers_see_no_trigger(api: Caller, stranger: Caller, trigger: JsonObject) -> None:
    path = f"{PATH}/{trigger['id']}"

    assert stranger.get(PATH).body["result"] == []
    assert [call.status for call in (stranger.get(path), stranger.patch(path, {}), stranger.delete(path))] == [404] * 3
    assert stranger.post(f"{path}/schedule", {}).status == 404
    assert not api.get(path).body["enabled"]


def test_of_two_leaders_one_makes_the_run_of_many_missed_times(
    api: Caller, trigger: JsonObject, settings: Settings
) -> None:
    engines = [connect(settings.database_url, pool_size=2) for _ in range(4)]
    api.post(f"{PATH}/{trigger['id']}/schedule", {})
    make_due(engines[0], trigger["id"], "10 days")
    at_once = threading.Barrier(len(engines))

    def lead(engine: Engine) -> None:
        leader = scheduler(engine, settings)
        at_once.wait()
        leader.run_due_now()

    leaders = [threading.Thread(target=lead, args=(engine,)) for engine in engines]
    for leader in leaders:
        leader.start()
    for leader in leaders:
        leader.join()
    scheduler(engines[0], settings).run_due_now()

    runs = api.get("/sync-job-run", sync_job_id=trigger["sync_job_id"]).body["result"]
    after = api.get(f"{PATH}/{trigger['id']}").body
    assert [run["id"] for run in runs] == [after["last_run"]["sync_job_run_id"]]
    assert (after["last_run"]["error"], after["enabled"]) == (None, True)
    assert after["last_run"]["fired_at"] >= after["last_run"]["due_at"]
    assert after["next_run_at"] > datetime.now(UTC).isoformat()
    for engine in engines:
        engine.dispose()


def test_leader_that_dies_before_the_commit_leaves_the_time_to_the_next(
    api: Caller, trigger: JsonObject, settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.post(f"{PATH}/{trigger['id']}/schedule", {})
    make_due(engine, trigger["id"])
    statements = text("alter table cron_trigger_fire add constraint dies check (false) not valid")
    with engine.begin() as connection:
        connection.execute(statements)

    scheduler(engine, settings).run_due_now()
    with engine.begin() as connection:
        connection.execute(text("alter table cron_trigger_fire drop constraint dies"))
    assert api.get("/sync-job-run", sync_job_id=trigger["sync_job_id"]).body["result"] == []
    begun = api.get(f"{PATH}/{trigger['id']}").body["last_run"]
    scheduler(engine, settings).run_due_now()
    assert api.get("/sync-job-run", sync_job_id=trigger["sync_job_id"]).body["result"] == []
    make_due(engine, trigger["id"])
    scheduler(engine, settings).run_due_now()

    [run] = api.get("/sync-job-run", sync_job_id=trigger["sync_job_id"]).body["result"]
    after = api.get(f"{PATH}/{trigger['id']}").body["last_run"]
    assert begun["error"] == BEGUN
    assert (after["sync_job_run_id"], after["due_at"]) == (run["id"], begun["due_at"])


def test_trigger_without_its_account_tells_why_it_makes_no_run(
    api: Caller, trigger: JsonObject, settings: Settings, engine: Engine
) -> None:
    api.post(f"{PATH}/{trigger['id']}/schedule", {})
    make_due(engine, trigger["id"])
    api.delete(f"/integrated-account/{trigger['integrated_account_id']}")

    scheduler(engine, settings).run_due_now()

    after = api.get(f"{PATH}/{trigger['id']}").body
    assert "does not exist" in after["last_run"]["error"]
    assert (after["last_run"]["sync_job_run_id"], after["enabled"]) == (None, True)
    assert api.get("/sync-job-run", sync_job_id=trigger["sync_job_id"]).body["result"] == []


def test_log_tells_what_became_of_due_times(
    api: Caller, stranger: Caller, trigger: JsonObject, settings: Settings, engine: Engine
) -> None:
    api.post(f"{PATH}/{trigger['id']}/schedule", {})
    make_due(engine, trigger["id"])
    scheduler(engine, settings).run_due_now()
    last_run = api.get(f"{PATH}/{trigger['id']}").body["last_run"]
    query = {"log_type": "sync_job_cron_trigger", "sync_job_cron_trigger_id": trigger["id"]}

    [fire] = api.get("/log", **query).body["result"]

    assert (fire["due_at"], fire["error"]) == (last_run["due_at"], None)
    assert fire["sync_job_run_id"] == last_run["sync_job_run_id"]
    assert api.get("/log", **query, **{"created_at[gt]": fire["created_at"]}).body["result"] == []
    assert stranger.get("/log", **query).body["result"] == []
    assert api.get("/log").paths == ["log_type"]
    assert fire["log_type"] == "sync_job_cron_trigger"
    assert api.get("/log", **query, **{"log_type_filter[sync_job_run_id]": trigger["id"]}).body["result"] == []
    assert api.get("/log", **query, webhook_id=trigger["id"]).paths == ["webhook_id"]


def test_trigger_that_was_changed_meanwhile_is_not_fired_as_it_was(
    api: Caller, trigger: JsonObject, settings: Settings, engine: Engine
) -> None:
    api.post(f"{PATH}/{trigger['id']}/schedule", {})
    make_due(engine, trigger["id"])
    store = TriggerStore(engine)
    due = next(found for found in store.find_due(limit=100) if found.trigger.id == trigger["id"])
    api.patch(f"{PATH}/{trigger['id']}", {"enabled": False})

    store.fail(due, "late", next_run_at=None, announce=lambda _to: [])

    assert api.get(f"{PATH}/{trigger['id']}").body["last_run"] is None


def test_trigger_whose_leader_ends_twice_waits_for_its_next_time(
    api: Caller, trigger: JsonObject, engine: Engine
) -> None:
    path, store = f"{PATH}/{trigger['id']}", TriggerStore(engine)
    api.post(f"{path}/schedule", {})
    next_time = api.get(path).body["next_run_at"]

    for _ in range(2):
        make_due(engine, trigger["id"])
        found = next(found for found in store.find_due(limit=100) if found.trigger.id == trigger["id"])
        store.begin(found, until=datetime.fromisoformat(next_time) if found.is_second_try else None)

    assert api.get(path).body["next_run_at"] == next_time


def test_trigger_of_a_pattern_that_is_not_linear_tells_so_and_the_others_fire(
    api: Caller, catalog: Catalog, settings: Settings, engine: Engine
) -> None:
    body = {**catalog.run_body, "cron_expression": "0 6 * * *", "enabled": True}
    triggers = [api.post(PATH, {**body, "args": args}).body["id"] for args in ({"x": "a"}, {"x": "a"}, {})]
    change = text("update sync_job set args_schema = cast(:schema as jsonb) where id = :id")
    with engine.begin() as connection:
        connection.execute(change, {"id": catalog.job["id"], "schema": '{"x": {"pattern": "(?=a)b"}}'})
    for one in triggers:
        make_due(engine, one)

    scheduler(engine, settings).run_due_now()

    told, told_too, fine = (api.get(f"{PATH}/{one}").body["last_run"] for one in triggers)
    assert told["error"] == told_too["error"]
    assert "args_schema.x.pattern can not be matched in linear time" in told["error"]
    assert fine["error"] is None
    answer = api.post("/sync-job-run", {**catalog.run_body, "args": {"x": "a"}})
    assert (answer.status, answer.paths) == (400, ["args"])
