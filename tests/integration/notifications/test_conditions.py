"""Each event is raised by its cause and ended by its end."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.notifications import events
from tests.integration.store.maintenance.test_erasures import put
from tests.support.notified_place import NotifiedPlace, Slack

Change = Callable[[NotifiedPlace, "Case"], object]


@dataclass
class Case:
    """What a test's steps have made."""

    account: str = ""
    id: str = ""


@dataclass(frozen=True)
class Condition:
    """How an event is raised, and how it is ended."""

    harmless: Change
    cause: Change
    words: str
    end: Change | None
    config: JsonObject | None = None


def _nothing(_place: NotifiedPlace, _case: Case) -> None:
    """Do nothing."""


def _fetch(count: int, **run: object) -> Change:
    def change(place: NotifiedPlace, case: Case) -> None:
        place.run(case.account, "completed", resources={"tickets": {"fetched": count}}, **run)  # type: ignore[arg-type]

    return change


def _quarantine(count: int) -> Change:
    return lambda place, case: place.run(case.account, "completed", resources={"tickets": {"quarantined": count}})


def _stall(place: NotifiedPlace, case: Case) -> None:
    case.id = place.run(case.account, "running", ago=3700, resources={"tickets": {}})


def _wait_for_limit(place: NotifiedPlace, case: Case) -> None:
    place.run(case.account, "rate_limited", ago=3700)
    place.run(case.account, "created", ago=3700, mutex_key="m")
    place.run(case.account, "running", ago=60)


def _reauth(place: NotifiedPlace, case: Case) -> None:
    place.execute(
        "update integrated_account set status = 'needs_reauth', last_error = '401' where id = :id", id=case.account
    )


def _reconnect(place: NotifiedPlace, case: Case) -> None:
    place.api.accounts.update(place.environment, case.account, {"context": {"api_key": "new"}})


def _new_webhook(place: NotifiedPlace, case: Case) -> None:
    case.id = place.api.webhooks.create(place.environment, {"target_url": "http://memory.invalid"}).id
    place.api.webhooks.update(place.environment, case.id, {"is_active": False})


def _disable(place: NotifiedPlace, case: Case) -> None:
    place.execute("update webhook set is_active = false, disabled_reason = 'gone' where id = :id", id=case.id)


def _activate(place: NotifiedPlace, case: Case) -> None:
    place.api.webhooks.update(place.environment, case.id, {"is_active": True})


def _webhook_waits(minutes: int, *, in_run: bool) -> Change:
    def change(place: NotifiedPlace, case: Case) -> None:
        case.id = place.api.webhooks.create(place.environment, {"target_url": "http://memory.invalid"}).id
        run = place.run(case.account, "running", webhook_id=case.id) if in_run else None
        id = put(place.engine, "delivery", webhook_id=case.id, run_id=run, event="test", body=b"{}")
        ago = "now() - make_interval(mins => :minutes)"
        place.execute(f"update delivery set created_at = {ago} where id = :id", id=id, minutes=minutes)

    return change


def _deliver(place: NotifiedPlace, case: Case) -> None:
    place.execute("update delivery set status = 'delivered' where webhook_id = :id", id=case.id)


def _new_destination(place: NotifiedPlace, case: Case) -> None:
    config = {"host": "db.example.com", "database": "d", "user": "u", "password": "p"}
    store = place.api.landing.datastores.create(place.environment, {"type": "postgres", "config": config})
    body = {"datastore_id": store.id, "label": "warehouse"}
    case.id = place.api.landing.destinations.create(place.environment, body).destination.id
    put(place.engine, "account_log", integrated_account_id=case.account, last_sequence=1)
    cursor = {"destination_id": case.id, "integrated_account_id": case.account}
    put(place.engine, "destination_cursor", **cursor)


def _destination_fails(minutes: int) -> Change:
    def change(place: NotifiedPlace, case: Case) -> None:
        if not case.id:
            _new_destination(place, case)
        place.execute(
            "update destination_cursor set failing_since = now() - make_interval(mins => :minutes), "
            "status = 'failing', last_error = 'no such host', error_code = 'unreachable' where destination_id = :id",
            id=case.id,
            minutes=minutes,
        )

    return change


def _destination_works(place: NotifiedPlace, case: Case) -> None:
    place.execute(
        "update destination_cursor set failing_since = null, status = 'waiting', last_error = null, cursor = 1 "
        "where destination_id = :id",
        id=case.id,
    )


def _destination_lags(minutes: int) -> Change:
    def change(place: NotifiedPlace, case: Case) -> None:
        if not case.id:
            _new_destination(place, case)
            row = {
                "resource": "tickets",
                "remote_id": "1",
                "data": {},
                "content_hash": b"",
                "sync_job_run_id": new_id(),
            }
            put(place.engine, "record", integrated_account_id=case.account, sequence=1, **row)
        place.execute(
            "update record set updated_at = now() - make_interval(mins => :minutes) where integrated_account_id = :id",
            id=case.account,
            minutes=minutes,
        )

    return change


def _new_schema(place: NotifiedPlace, case: Case) -> None:
    place_of = {"environment_id": place.environment, "integration_name": "acme", "resource": "tickets"}
    case.id = put(place.engine, "resource_schema", **place_of)
    place.execute(
        "insert into resource_schema_change (schema_id, kind, column_name, details, created_at) "
        "select id, 'added', 'title', '{}', created_at from resource_schema where id = :id",
        id=case.id,
    )


def _add_column(place: NotifiedPlace, case: Case) -> None:
    put(place.engine, "resource_schema_change", schema_id=case.id, kind="added", column_name="priority", details={})


CONDITIONS = {
    events.RUN_FAILED: Condition(
        harmless=lambda place, case: place.run(case.account, "stopped"),
        cause=lambda place, case: place.fail(case.account),
        words="runs fail (unauthorized)",
        end=lambda place, case: place.run(case.account, "completed"),
    ),
    events.RUN_FAILED_REPEATEDLY: Condition(
        harmless=lambda place, case: [place.fail(case.account, ago=ago) for ago in (9, 8)],
        cause=lambda place, case: place.fail(case.account),
        words="runs fail again and again",
        end=lambda place, case: place.run(case.account, "completed"),
    ),
    events.RUN_STALLED: Condition(
        harmless=_wait_for_limit,
        cause=_stall,
        words="no progress",
        end=lambda place, case: place.execute(
            "update run_resource set heard_at = now() where run_id = :id", id=case.id
        ),
    ),
    events.RECORDS_FELL: Condition(
        harmless=lambda place, case: [_fetch(1000, ago=9)(place, case), _fetch(600, ago=8)(place, case)],
        cause=_fetch(100),
        words="100 records, 600 before",
        end=_fetch(590),
    ),
    events.RECORDS_QUARANTINED: Condition(
        harmless=_quarantine(5), cause=_quarantine(6), words="6 records of run", end=_quarantine(0), config={"count": 5}
    ),
    events.STALE: Condition(
        harmless=_fetch(1),
        cause=lambda place, case: place.execute(
            "update run_resource set finished_at = now() - interval '121 min' where run_id in "
            "(select id from sync_job_run where integrated_account_id = :id)",
            id=case.account,
        ),
        words="stale records",
        end=_fetch(0),
        config={"resource": "tickets", "minutes": 120},
    ),
    events.AUTHENTICATION_ERROR: Condition(harmless=_nothing, cause=_reauth, words="to be reconnected", end=_reconnect),
    events.WEBHOOK_DISABLED: Condition(harmless=_new_webhook, cause=_disable, words=": gone", end=_activate),
    events.WEBHOOK_BEHIND: Condition(
        harmless=_webhook_waits(59, in_run=True), cause=_webhook_waits(61, in_run=True), words="behind", end=_deliver
    ),
    events.DESTINATION_FAILING: Condition(
        harmless=_destination_fails(4), cause=_destination_fails(6), words="no such host", end=_destination_works
    ),
    events.DESTINATION_BEHIND: Condition(
        harmless=_destination_lags(59), cause=_destination_lags(61), words="1 accounts wait", end=_destination_works
    ),
    events.SCHEMA_CHANGED: Condition(harmless=_new_schema, cause=_add_column, words="acme tickets: priority", end=None),
}


def test_every_event_has_its_cause_and_its_end() -> None:
    assert set(CONDITIONS) == set(events.EVENTS)
    assert {event for event, one in CONDITIONS.items() if one.end is None} == {
        name for name, event in events.EVENTS.items() if not event.ends
    }


@pytest.mark.parametrize("event", CONDITIONS)
def test_rule_is_raised_by_its_cause_and_ended_by_its_end(place: NotifiedPlace, slack: Slack, event: str) -> None:
    condition, case = CONDITIONS[event], Case(account=place.new_account())
    place.rule(place.slack(slack), event, condition.config)

    condition.harmless(place, case)
    place.look()
    assert slack.texts == []

    condition.cause(place, case)
    place.look()
    place.look()
    (told,) = slack.texts
    assert condition.words in told

    if condition.end is not None:
        condition.end(place, case)
    place.look()
    place.pass_time(10**6)
    place.look()
    assert len(slack.texts) == (1 if condition.end is None else 2)
    assert slack.texts[-1].startswith("*Over: ") is (condition.end is not None)


def test_event_of_no_run_that_waits_is_behind_too(place: NotifiedPlace, slack: Slack) -> None:
    place.rule(place.slack(slack), events.WEBHOOK_BEHIND, {"minutes": 5})
    case = Case(account=place.new_account())
    _webhook_waits(6, in_run=False)(place, case)

    place.look()

    assert f"webhook {case.id}" in slack.texts[0]


def test_account_that_never_synced_is_stale_once_it_is_older_than_the_bound(place: NotifiedPlace, slack: Slack) -> None:
    place.rule(place.slack(slack), events.STALE, {"resource": "tickets", "minutes": 120}, label="tickets within 2 h")
    account, fresh = place.new_account(), place.new_account()
    # Another integration's accounts have no tickets.
    place.api.integrations.create(place.environment, {"name": "other", "config": {"base_url": "http://o.invalid"}})
    body = {"integration_name": "other", "tenant_id": "t", "context": {"api_key": "k"}}
    other = place.api.accounts.create(place.environment, body).id
    for id in (account, other):
        place.execute("update integrated_account set created_at = now() - interval '121 min' where id = :id", id=id)

    place.look()

    (told,) = slack.texts
    assert account in told and fresh not in told and other not in told
    assert "tickets, last complete: never" in told
    assert "Rule: tickets within 2 h" in told


def test_running_run_keeps_its_account_fresh_by_what_is_complete(place: NotifiedPlace, slack: Slack) -> None:
    place.rule(place.slack(slack), events.STALE, {"resource": "tickets", "minutes": 120})
    account = place.new_account()
    place.execute("update integrated_account set created_at = now() - interval '1 day' where id = :id", id=account)
    run = place.run(account, "running", resources={"tickets": {}})
    place.execute("update run_resource set status = 'completed', finished_at = now() where run_id = :id", id=run)

    place.look()

    assert slack.texts == []


@pytest.mark.parametrize("scope", ["job", "account"])
def test_rule_of_one_job_or_account_sees_no_other(place: NotifiedPlace, slack: Slack, scope: str) -> None:
    watched, other = place.new_account(), place.new_account()
    job = place.new_job("users")
    scopes: JsonObject = {"sync_job_id": job} if scope == "job" else {"integrated_account_id": watched}
    place.rule(place.slack(slack), events.RUN_FAILED, **scopes)
    place.fail(other)
    place.look()
    assert slack.texts == []

    place.fail(watched, job=job)
    place.look()

    assert watched in slack.texts[0] and other not in slack.texts[0]


def test_destination_without_rules_is_told_what_nobody_should_miss_and_nothing_else(
    place: NotifiedPlace, slack: Slack
) -> None:
    place.slack(slack)
    for event, condition in CONDITIONS.items():
        case = Case(account=place.new_account(event))
        condition.harmless(place, case)
        if event in events.DEFAULTS:
            condition.cause(place, case)
    place.look()

    titles = "\n".join(text.splitlines()[0] for text in slack.texts)
    assert all(events.EVENTS[event].title in titles for event in events.DEFAULTS)
    assert not any(
        event.title in titles for event in events.EVENTS.values() if not event.is_default and event.title != "behind"
    )


def test_destination_gets_only_the_event_types_that_it_names(place: NotifiedPlace, slack: Slack) -> None:
    place.slack(slack, event_types=[events.AUTHENTICATION_ERROR])
    case = Case(account=place.new_account())
    place.fail(case.account)
    _reauth(place, case)

    place.look()

    assert [events.EVENTS[events.AUTHENTICATION_ERROR].title in text for text in slack.texts] == [True]


def test_failures_by_an_ignored_status_are_not_told(place: NotifiedPlace, slack: Slack) -> None:
    place.slack(slack, config={"ignored_status_codes": [404]})
    ignored, told = place.new_account("ignored"), place.new_account("told")
    for account, status in ((ignored, 404), (told, 500)):
        run = place.fail(account, "upstream")
        error = {"code": "upstream", "message": "m", "details": {"status": status}}
        put(place.engine, "run_error", run_id=run, environment_id=place.environment, **error)

    place.look()

    (text,) = slack.texts
    assert told in text and ignored not in text
    assert "runs fail (upstream 500)" in text


def test_rule_that_is_removed_and_what_is_switched_off_say_nothing_more(place: NotifiedPlace, slack: Slack) -> None:
    destination = place.slack(slack)
    rule = place.rule(destination, events.RUN_FAILED)
    account = place.new_account()
    place.fail(account)
    place.look()
    assert len(slack.texts) == 1

    place.api.notifications.rules.update(place.environment, rule.id, {"is_active": False})
    place.fail(place.new_account())
    place.run(account, "completed")
    place.pass_time(10**6)
    place.look()

    assert len(slack.texts) == 1


def test_account_that_is_deleted_ends_what_was_told_of_its_runs(place: NotifiedPlace, slack: Slack) -> None:
    place.slack(slack)
    account = place.new_account()
    place.fail(account)
    place.look()

    place.api.account_deletion.delete(place.environment, account)
    place.look()

    assert slack.texts[1].startswith("*Over: ")


def test_environment_is_told_nothing_of_another(place: NotifiedPlace, slack: Slack, notified_url: str) -> None:
    place.slack(slack)
    stranger = NotifiedPlace(notified_url)
    case = Case(account=stranger.new_account())
    for event in events.DEFAULTS:
        CONDITIONS[event].harmless(stranger, case)
        CONDITIONS[event].cause(stranger, case)

    place.look()
    stranger.api.close()

    assert slack.texts == []
