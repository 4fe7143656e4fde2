"""One row that can not be handled, for every duty: its owner is told, and nobody else waits for it."""

import base64
from collections.abc import Iterator, Sequence
from functools import partial

import psycopg
import pytest
from sqlalchemy import text

from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.objects.bulk_actions import BulkKind, BulkStatus
from app.engine.objects.lists import ListFilters
from app.engine.webhooks import events
from app.services.dashboard.bulk_actions import BulkActions
from app.services.dashboard.run_filters import RunFilters
from app.services.maintenance.heartbeats import HeartbeatCollector
from app.services.maintenance.ports import Heartbeat
from app.services.runs.requests import RunRequest
from app.store.announcements.announcements import insert_announcements
from app.store.dashboard.bulk_actions import BulkActionStore
from app.store.db.database import connections_of
from app.store.db.writing_sessions import WritingSessions
from app.store.maintenance.daemons import DaemonStore
from app.store.schedules.triggers import TriggerStore
from tests.support.led_place import LedPlace, led_place
from tests.support.pump_database import PumpDatabase

FOREIGN_SECRET = "update {table} set {column} = cast('k2:00000000:AAAA' as bytea) where id = :id"
NO_UNITS = "insert into unit (id, run_id, kind, status) values (gen_random_uuid(), :id, 'fetch', 'done')"
LONG_AGO = "now() - interval '1 hour'"


@pytest.fixture
def place(pump_database: PumpDatabase) -> Iterator[LedPlace]:
    with led_place(pump_database) as found:
        yield found


def poison_queue(place: LedPlace, run_id: str) -> None:
    place.mailbox.poisoned = "poisoned"
    place.execute("update sync_job_run set queue = 'poisoned' where id = :id", run_id)


def test_every_duty_of_the_leader_has_a_poisoned_row(place: LedPlace) -> None:
    """Whoever adds a duty poisons a row of it, and names here where."""
    poisoned_here = {
        *("publishing", "ringing runs", "ringing units", "settling", "landing", "rescue", "triggers", "announcing"),
        *("roll call", "orphaned sessions", "bulk actions"),
    }
    poisoned_in_clearing = {"forgetting runs", "forgetting keys", "erasing", "numbering records"}
    # test_what_can_not_be_removed_is_passed_over (store), test_row_that_breaks_its_batch_is_found… (services)
    poisoned_as_a_kind = {
        *("forgetting bodies", "forgetting tombstones", "forgetting told", "forgetting told to nobody"),
        *("forgetting messages", "forgetting daemons", "forgetting fires", "forgetting calls"),
        *(
            "forgetting announcements",
            "forgetting notifications",
            "forgetting incidents",
            "forgetting bulk actions",
            "forgetting audit entries",
        ),
    }
    # tests/integration/notifications/test_deaths.py
    poisoned_in_notifications = {"watching", "notifying"}

    # Nothing of a row is read but its ids; an account whose log breaks the learner: tests/integration/store/schemas.
    by_ids_alone = {"destinations", "telling of destinations", "learning schemas", "counting records"}

    names = {turns.duty.name for turns in place.daemon.sweeper._duties._turns}
    assert names == poisoned_here | poisoned_in_clearing | poisoned_as_a_kind | poisoned_in_notifications | by_ids_alone


def test_message_that_can_not_be_published(place: LedPlace) -> None:
    poisoned, sound = place.runs()
    place.mailbox.poisoned = "poisoned"
    for queue, run_id in (("poisoned", poisoned), ("sound", sound)):
        place.execute(
            "insert into outbox (task, args, queue, created_at) "
            f"values ('ferryman.start_run.v1', jsonb_build_array(cast(:id as text)), '{queue}', {LONG_AGO})",
            run_id,
        )

    place.sweep_until(lambda: [message.args for message in place.mailbox.sent] == [(sound,)], "the message")

    assert "ValueError" in place.errors_of(poisoned)[0]
    assert place.errors_of(sound) == []


def test_run_that_can_not_be_rung(place: LedPlace) -> None:
    poisoned, sound = place.runs()
    poison_queue(place, poisoned)
    for run_id in (poisoned, sound):
        place.execute(f"update sync_job_run set rung_at = {LONG_AGO} where id = :id", run_id)

    place.sweep_until(lambda: [message.args for message in place.mailbox.sent] == [(sound,)], "the ring")

    assert "ValueError" in place.errors_of(poisoned)[0]


def test_reason_that_a_duty_finds_again_and_again_is_told_once(place: LedPlace) -> None:
    run_id = place.run(place.poisoned)

    for reason in ("its queue is refused", "its queue is refused", "it broke with ValueError"):
        place.daemon.lifecycle.record_unhandled(run_id, reason)

    assert len(place.errors_of(run_id)) == 2


def test_unit_that_can_not_be_rung(place: LedPlace) -> None:
    poisoned, sound = place.runs()
    poison_queue(place, poisoned)
    for run_id in (poisoned, sound):
        place.execute("update sync_job_run set status = 'running', begun_at = now() where id = :id", run_id)
        place.execute(
            "insert into unit (id, run_id, kind, status, rung_at, updated_at) "
            f"values (gen_random_uuid(), :id, 'fetch', 'ready', {LONG_AGO}, {LONG_AGO})",
            run_id,
        )

    place.sweep_until(lambda: [message.args[0] for message in place.mailbox.sent] == [sound], "the ring")

    assert "ValueError" in place.errors_of(poisoned)[0]


def spoil_runs(place: LedPlace, aged: str) -> tuple[str, str]:
    """Make two runs whose work is done, the first of which can not be settled."""
    poisoned, sound = place.runs()
    for run_id in (poisoned, sound):
        place.execute(NO_UNITS, run_id)
        place.execute(f"update unit set updated_at = {aged} where run_id = :id", run_id)
        place.execute(
            f"update sync_job_run set status = 'running', begun_at = now(), updated_at = {aged} where id = :id", run_id
        )
    place.execute("""update sync_job_run set resources = '"none"' where id = :id""", poisoned)
    return poisoned, sound


def test_run_that_can_not_be_settled(place: LedPlace) -> None:
    poisoned, sound = spoil_runs(place, "now() - interval '1 minute'")

    place.sweep_until(lambda: place.status_of(sound) == "completed", "the end")

    assert "AttributeError" in place.errors_of(poisoned)[0]
    assert place.status_of(poisoned) == "running"


def test_run_that_has_landed_and_can_not_be_settled(place: LedPlace) -> None:
    poisoned, sound = spoil_runs(place, "now()")
    for run_id in (poisoned, sound):
        place.execute(
            "update sync_job_run set wait_for_destinations = true, landing_since = now() where id = :id", run_id
        )

    place.sweep_until(lambda: place.status_of(sound) == "completed", "the end")

    assert "AttributeError" in place.errors_of(poisoned)[0]
    assert place.status_of(poisoned) == "running"


def test_run_that_can_not_be_rescued(place: LedPlace) -> None:
    poisoned, sound = spoil_runs(place, LONG_AGO)
    # Whoever settles finds nothing to do: the rescue has to.
    for run_id in (poisoned, sound):
        place.execute("update unit set status = 'blocked' where run_id = :id", run_id)

    place.sweep_until(lambda: place.status_of(sound) == "completed", "the rescue")

    assert "AttributeError" in place.errors_of(poisoned)[0]


def make_due(place: LedPlace, *trigger_ids: str) -> None:
    for place_in_line, trigger_id in enumerate(trigger_ids):
        place.execute(
            "update sync_job_cron_trigger set enabled = true, "
            f"next_run_at = now() - interval '10 s' + {place_in_line} * interval '1 s' where id = :id",
            trigger_id,
        )


@pytest.mark.parametrize("is_known", [False, True], ids=["first-of-its-job", "job-known"])
def test_trigger_whose_account_does_not_decrypt(place: LedPlace, is_known: bool) -> None:
    poisoned, sound = (
        place.services.triggers.create(
            place.environment,
            {"sync_job_id": place.job, "integrated_account_id": account, "cron_expression": "0 0 1 1 *"},
        ).id
        for account in (place.poisoned, place.sound)
    )
    place.execute(FOREIGN_SECRET.format(table="integrated_account", column="context_encrypted"), place.poisoned)
    make_due(place, *([sound] if is_known else []))
    if is_known:
        place.sweep_until(lambda: place.services.triggers.get(place.environment, sound).last_run is not None, "a run")
    make_due(place, poisoned, sound)

    def outcome(trigger_id: str) -> JsonObject:
        return place.services.triggers.get(place.environment, trigger_id).last_run or {}

    place.sweep_until(lambda: bool(outcome(sound).get("sync_job_run_id")), "the run")

    if not is_known:
        assert "'00000000'" in outcome(poisoned)["error"]
    else:
        # Nobody reads the account to write a run; whoever begins it does.
        run_id = outcome(poisoned)["sync_job_run_id"]
        assert place.daemon.lifecycle.mark_running(run_id, daemon_id="d")
        assert place.daemon.lifecycle.start(run_id) is None
        run = place.services.runs.get(place.environment, run_id)
        assert (run.status, run.error["code"]) == ("failed", "unworkable")
        assert "'00000000'" in run.error["message"]


MENDED = {
    "trigger": "update sync_job_cron_trigger set updated_at = now() where id = :trigger",
    "account": "update integrated_account set updated_at = now() where id = :account",
    "webhook": "update webhook set updated_at = now() where id = :webhook",
    "job": "update sync_job set updated_at = now() where id = :job",
    "integration": """
        update integration set updated_at = now()
         where id = (select integration_id from integrated_account where id = :account)
    """,
}


@pytest.mark.parametrize("mended", [None, *MENDED])
def test_trigger_that_is_skipped_is_due_again_once_its_owner_has_mended_something(
    place: LedPlace, mended: str | None
) -> None:
    webhook_id = place.services.webhooks.create(place.environment, {"target_url": "http://memory.invalid"}).id
    refers = {"sync_job_id": place.job, "integrated_account_id": place.poisoned, "webhook_id": webhook_id}
    trigger_id = place.services.triggers.create(place.environment, {**refers, "cron_expression": "0 0 1 1 *"}).id
    make_due(place, trigger_id)
    triggers = TriggerStore(place.engine)
    (failed,) = triggers.find_due(limit=10)
    values = {"trigger": trigger_id, "account": place.poisoned, "job": place.job, "webhook": webhook_id}

    if mended is not None:
        with place.engine.begin() as connection:
            connection.execute(text(MENDED[mended]), values)
    due = triggers.find_due(limit=10, skipped=[failed.attempt_key])

    assert [one.trigger.id for one in due] == ([] if mended is None else [trigger_id])


def test_run_whose_account_does_not_decrypt_is_refused_and_its_owner_mends_it(place: LedPlace) -> None:
    place.execute(FOREIGN_SECRET.format(table="integrated_account", column="context_encrypted"), place.poisoned)

    listed = {one.id: one for one in place.services.accounts.list(place.environment, ListFilters()).result}
    shown = listed[place.poisoned]
    changed = place.services.accounts.update(place.environment, place.poisoned, {"context": {"api_key": "new"}})

    assert set(listed) == {place.poisoned, place.sound}
    assert (shown.status, shown.context) == ("needs_reauth", {})
    assert "'00000000'" in str(shown.last_error)
    assert (changed.status, changed.last_error, changed.context) == ("active", None, {"api_key": "new"})
    assert place.run(place.poisoned)


@pytest.mark.parametrize("poison", ["webhook-deleted", "secret-does-not-decrypt"])
def test_event_of_no_run_that_can_not_be_sent(place: LedPlace, poison: str) -> None:
    poisoned, sound = (
        place.services.webhooks.create(place.environment, {"target_url": "http://memory.invalid"}).id for _ in range(2)
    )
    with place.engine.begin() as connection:
        account = place.services.accounts.get(place.environment, place.sound)
        drafts = events.draft_reactivated(account, to=[poisoned, sound], at=account.updated_at)
        insert_announcements(connection, drafts)
    if poison == "webhook-deleted":
        place.services.webhooks.delete(place.environment, poisoned)
    else:
        place.execute(FOREIGN_SECRET.format(table="webhook", column="secret_encrypted"), poisoned)

    place.sweep_until(lambda: len(dict(place.world.receiver.taken)) == 1, "the event")

    with place.engine.connect() as connection:
        row = connection.execute(
            text("select status, last_error from delivery where webhook_id = :id"), {"id": poisoned}
        ).one()
    if poison == "webhook-deleted":
        assert (row.status, row.last_error) == ("dead_lettered", f"webhook '{poisoned}' was deleted")
    else:
        assert (row.status, "'00000000'" in row.last_error) == ("pending", True)
        assert len(place.services.webhooks.list(place.environment, ListFilters()).result) == 2


def test_bulk_action_that_can_not_be_counted_and_run_that_can_not_be_resumed(place: LedPlace) -> None:
    poisoned, sound = place.runs()
    place.execute("update sync_job_run set status = 'failed', finished_at = now() where id = :id", poisoned)
    place.execute("update sync_job_run set status = 'failed', finished_at = now() where id = :id", sound)
    place.execute("update sync_job_run set events_to_send = '{}', args = '7' where id = :id", poisoned)
    bulk = BulkActions(BulkActionStore(place.engine))
    unread, action = (bulk.count(place.environment, BulkKind.RESUME, RunFilters()) for _ in range(2))
    place.execute(
        """update bulk_action set status = 'counting', filters = '{"colour": "red"}' where id = :id""", unread.id
    )
    bulk.confirm(place.environment, action.id)
    place.mailbox.poisoned = "poisoned"
    place.execute("update sync_job_run set daemon_group_key = null where id = :id", sound)

    place.sweep_until(
        lambda: bulk.get(place.environment, action.id).status is BulkStatus.FINISHED, "the end of the action"
    )

    assert place.status_of(sound) != "failed"
    assert "colour" in str(bulk.get(place.environment, unread.id).last_error)


class Reports:
    """What daemons report, the poisoned one first."""

    def collect(self, *, limit: int) -> Sequence[Heartbeat]:
        return [Heartbeat(daemon_id=daemon_id, silent_seconds=1.0) for daemon_id in ("poisoned", "sound")]


def test_daemon_that_can_not_be_taken_down(place: LedPlace) -> None:
    registry = DaemonStore(place.engine)
    for daemon_id in ("poisoned", "sound"):
        registry.register(daemon_id, group_key="poison", label=daemon_id, metadata={})
    place.execute("update daemon set last_active_at = now() - interval '1 day' where group_key = 'poison'", "")
    place.execute("alter table daemon add constraint poison check (id <> 'poisoned') not valid", "")
    heartbeat_collector = HeartbeatCollector(
        collect=partial(Reports().collect, limit=2000),
        record=registry.record_heartbeats,
        silence_seconds=40.0,
        monotonic=lambda: 0.0,
    )

    heartbeat_collector.collect()
    place.execute("alter table daemon drop constraint poison", "")

    live = registry.count_live_by_group(within_seconds=60.0)
    place.execute("delete from daemon where group_key = 'poison'", "")
    assert live["poison"] == 1


def test_session_whose_name_is_no_claim(place: LedPlace) -> None:
    arguments = connections_of(place.engine).arguments()
    poisoned, orphaned = (
        psycopg.connect(**{**arguments, "application_name": f"ferryman page {name}:1"}) for name in ("-" * 36, new_id())
    )
    for connection in (poisoned, orphaned):
        connection.execute("select 1")

    ended = WritingSessions(place.engine, older_than_seconds=0.0).end_orphaned()

    poisoned.execute("select 1")
    for connection in (poisoned, orphaned):
        connection.close()
    assert ended == 1


@pytest.mark.parametrize("table", ["integration", "environment_integration"])
def test_integration_whose_secret_does_not_decrypt_is_listed_and_its_runs_say_why(place: LedPlace, table: str) -> None:
    config = {"base_url": "http://memory.invalid", "headers": {"X-App-Secret": "hush"}}
    integration = place.services.integrations.create(place.environment, {"name": "sealed", "config": config})
    override = {"integration_id": integration.id, "override": {"headers": {"X-Other-Secret": "hush"}}}
    place.services.installed_integrations.install(place.environment, override)
    account = place.services.accounts.create(
        place.environment, {"integration_name": "sealed", "tenant_id": "t", "context": {"api_key": "k"}}
    )
    job = place.services.jobs.create(
        place.environment, {"integration_name": "sealed", "resources": [{"resource": "users", "method": "list"}]}
    )
    request = RunRequest(sync_job_id=job.id, integrated_account_id=account.id, args={})
    run_id = place.services.runs.create(place.environment, request)[0].id
    column, identity = ("config", "id") if table == "integration" else ("override", "integration_id")
    forged = "ferryman-sealed:" + base64.urlsafe_b64encode(b"k2:00000000:AAAA").decode()
    spoil = f"update {table} set {column} = jsonb_set({column}, '{{headers,X-New}}', '\"{forged}\"')"
    place.execute(f"{spoil} where {identity} = :id", integration.id)

    listed = [
        *place.services.integrations.list(place.environment, ListFilters()).result,
        *place.services.installed_integrations.list(place.environment, ListFilters()).result,
        *place.services.accounts.list(place.environment, ListFilters()).result,
    ]
    context = place.services.credentials.shown_contexts.mask(account)
    assert place.daemon.lifecycle.mark_running(run_id, daemon_id="d")
    place.daemon.lifecycle.start(run_id)

    run = place.services.runs.get(place.environment, run_id)
    assert len(listed) == 2 + 1 + 3
    assert context == {"api_key": "********"}
    assert (run.status, "'00000000'" in run.error["message"]) == ("failed", True)
