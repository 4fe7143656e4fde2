"""Webhooks are told once that a destination lags or fails, and that it is well again."""

import json
from typing import Any

import pytest
from sqlalchemy import text

from app.bootstrap.destinations import build_destination_telling
from app.store.destinations import states
from tests.support.landing import Landing
from tests.support.target import TargetDatabase

_EVENTS = ("destination:behind", "destination:failing", "destination:recovered")


@pytest.fixture
def subscribed(landing: Landing) -> Landing:
    body = {"target_url": "https://hook.test", "event_types": list(_EVENTS)}
    landing.api.webhooks.create(landing.environment, body)
    landing.api.webhooks.create(landing.environment, {"target_url": "https://deaf.test", "event_types": ["test"]})
    return landing


def _told(landing: Landing) -> list[tuple[str, Any]]:
    build_destination_telling(landing.shared, landing.settings).do()
    rows = landing.rows(
        "select event, body from delivery d join webhook w on w.id = d.webhook_id"
        " where w.environment_id = :id order by d.sequence",
        id=landing.environment,
    )
    return [(row["event"], json.loads(bytes(row["body"]))["payload"]) for row in rows]


def _age(landing: Landing, statement: str) -> None:
    with landing.engine.begin() as connection:
        connection.execute(text(statement))


def test_a_failing_destination_is_told_once_and_so_is_its_recovery(subscribed: Landing, target: TargetDatabase) -> None:
    landing = subscribed
    datastore = landing.datastore({**target.config, "port": 1})
    made = landing.api.landing.destinations.create(landing.environment, {"datastore_id": datastore, "label": "lake"})
    landing.write(landing.account(), {"1": {"n": 1}})
    landing.land(may_fail=True)
    at_once = _told(landing)
    _age(
        landing, "update destination_cursor set failing_since = now() - interval '61 s' where failing_since is not null"
    )
    _told(landing)
    ((event, payload),) = _told(landing)

    landing.api.landing.datastores.update(landing.environment, datastore, {"config": {"port": target.server.port}})
    landing.pass_time()
    landing.land()
    _told(landing)

    assert at_once == []
    assert event == "destination:failing"
    assert {**payload, "lag_seconds": 0.0, "last_error": ""} == {
        **{"id": made.destination.id, "datastore_id": datastore, "label": "lake", "failing": 1},
        **{"lag_records": 1, "lag_seconds": 0.0, "last_error": ""},
    }
    assert "can not be reached" in payload["last_error"]
    assert [event for event, _ in _told(landing)] == ["destination:failing", "destination:recovered"]


def test_a_destination_that_lags_is_told_and_a_paused_one_is_not(subscribed: Landing, target: TargetDatabase) -> None:
    landing = subscribed
    lagging = landing.destination(target.config, options={"schema": "one"})
    paused = landing.destination(target.config, options={"schema": "two"})
    landing.write(landing.account(), {"1": {"n": 1}, "2": {"n": 2}})
    landing.dispatch()
    landing.api.landing.destinations.pause(landing.environment, paused)
    _age(landing, "update record set updated_at = now() - interval '901 s'")

    told = _told(landing)

    assert [(event, payload["id"], payload["lag_records"]) for event, payload in told] == [
        ("destination:behind", lagging, 2)
    ]
    assert told[0][1]["lag_seconds"] >= 901
    landing.land()
    assert [event for event, _ in _told(landing)] == ["destination:behind", "destination:recovered"]


def test_what_was_told_by_another_leader_is_not_told_again(subscribed: Landing, target: TargetDatabase) -> None:
    landing = subscribed
    landing.destination(target.config)
    landing.write(landing.account(), {"1": {"n": 1}})
    landing.dispatch()
    _age(landing, "update record set updated_at = now() - interval '901 s'")
    store = build_destination_telling(landing.shared, landing.settings).do.__self__  # type: ignore[attr-defined]
    seen = store._look()
    _told(landing)

    store._look = lambda: seen
    store.tell_changes()

    assert [event for event, _ in _told(landing)] == ["destination:behind"]


def test_doctor_names_what_destinations_fail_with(landing: Landing, target: TargetDatabase) -> None:
    target.execute(f"revoke create on database {target.name} from public")
    target.execute("create role reader login password 'sesame'")
    try:
        landing.destination({**target.config, "user": "reader", "password": "sesame"})
        landing.write(landing.account(), {"1": {"n": 1}})
        landing.land(may_fail=True)

        facts = landing.api.reading.fleet.read().facts

        assert facts.destinations_failing == {"missing_rights": 1}
    finally:
        target.execute("drop role reader")


def test_metrics_show_what_the_leader_has_seen_and_read_no_cursor(landing: Landing, target: TargetDatabase) -> None:
    well, failing = landing.destination(target.config), landing.destination({**target.config, "port": 1})
    behind, paused = landing.destination(target.config), landing.destination(target.config)
    services = landing.api.landing.destinations
    for one in (behind, paused):
        services.pause(landing.environment, one)
    landing.write(landing.account(), {"1": {"n": 1}, "2": {"n": 2}})
    landing.land(may_fail=True)
    _age(
        landing, "update destination_cursor set failing_since = now() - interval '9 s' where failing_since is not null"
    )
    _age(
        landing,
        f"insert into destination_cursor (destination_id, integrated_account_id, due_at)"
        f" select '{behind}', id, now() + interval '1 day' from integrated_account",
    )
    _age(landing, f"update destination set paused_at = null where id = '{behind}'")

    _told(landing)

    with landing.engine.connect() as connection:
        counts, needy = states.count_states(connection), states.list_needy(connection)
        for statement in (states._COUNT, states._NEEDY):
            plan = "\n".join(connection.execute(text(f"explain {statement}")).scalars())
            assert "destination_cursor" not in plan
            assert "account_log" not in plan
    assert counts == {("postgres", status): 1 for status in ("current", "failing", "behind", "paused")}
    assert [(one.id, one.lag_records) for one in needy] == [(failing, 2), (behind, 2)]
    assert needy[0].failing_seconds >= 9 > needy[1].failing_seconds == 0
    assert all(one.lag_seconds > 0 for one in needy)
    assert well not in {one.id for one in needy}
