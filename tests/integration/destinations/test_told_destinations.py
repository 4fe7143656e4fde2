"""Webhooks are told once that a destination lags or fails, and that it is well again."""

import json
from typing import Any

import pytest
from sqlalchemy import text

from app.bootstrap.destinations import build_destination_telling
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
