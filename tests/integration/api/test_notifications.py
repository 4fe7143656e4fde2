"""Notification destinations and rules over HTTP: with every fault at once, without a secret, by who may."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.api.resources.services import ApiServices
from app.engine.ids import new_id
from app.engine.notifications import events
from app.engine.objects.environments import EnvironmentId, Role
from tests.integration.api.calling import Answer, Caller, Catalog
from tests.support.http_server import HttpServer, Request, Response

_SECRET = "the-text-that-nobody-sees"
_MAIL = {"to": ["ops@example.com"], "host": "mail.example.com", "from": "f@example.com"}
_CONFIGS: dict[str, dict[str, Any]] = {
    "slack": {"webhook_url": f"https://hooks.slack.com/services/{_SECRET}", "ignored_status_codes": [404]},
    "email": {**_MAIL, "user": "u", "password": _SECRET, "subject_prefix": "[prod]"},
    "webhook": {"target_url": "https://example.com/hook", "secret": _SECRET},
}


@pytest.fixture
def slack() -> Iterator[HttpServer]:
    def answer(request: Request) -> Response:
        assert "A test of Ferryman" in json.loads(request.body)["text"]
        return Response(body=b"ok") if request.path == "/good" else Response(status=404, body=b"no_service")

    server = HttpServer(answer)
    yield server
    server.close()


def _failures(answer: Answer) -> dict[str, str]:
    return {one["path"]: one["message"] for one in answer.body["details"]["failures"]}


@pytest.mark.parametrize("kind", _CONFIGS)
def test_destination_of_each_type_is_kept_without_showing_its_secrets(api: Caller, engine: Engine, kind: str) -> None:
    body = {"type": kind, "label": "mine", "config": _CONFIGS[kind], "event_types": [events.STALE]}
    made = api.post("/notification-destination", body)
    path = f"/notification-destination/{made.body['id']}"
    changed = api.patch(path, {"is_active": False, "event_types": None})
    listed = api.get("/notification-destination", type=kind, is_active="false")

    assert (made.status, made.body["is_active"], made.body["event_types"]) == (201, True, [events.STALE])
    assert (changed.body["is_active"], changed.body["event_types"]) == (False, None)
    assert [one["id"] for one in listed.body["result"]] == [made.body["id"]]
    assert len(made.body["secrets"]) == 1
    assert made.body["secret"] == (_SECRET if kind == "webhook" else None)
    assert _SECRET not in json.dumps([changed.body, listed.body, api.get(path).body])
    with engine.connect() as connection:
        assert _SECRET not in str(connection.execute(text("select d::text from notification_destination d")).all())
    assert api.delete(path).body == {"id": made.body["id"]}
    assert api.get(path).status == 404


def test_config_is_merged_key_by_key_and_checked_as_a_whole(api: Caller) -> None:
    made = api.post("/notification-destination", {"type": "email", "config": _CONFIGS["email"]})
    path = f"/notification-destination/{made.body['id']}"

    changed = api.patch(path, {"config": {"to": "other@example.com", "subject_prefix": None}})
    refused = api.patch(path, {"config": {"password": None}})

    assert changed.body["config"] == {**_MAIL, "to": "other@example.com", "user": "u"}
    assert _failures(refused) == {"config.password": "is required: user and password go together"}


@pytest.mark.parametrize(
    ("kind", "config", "faults"),
    [
        ("slack", {}, {"config.webhook_url"}),
        (
            "slack",
            {"webhook_url": "ftp://x", "ignored_status_codes": ["404"]},
            {"config.webhook_url", "config.ignored_status_codes"},
        ),
        ("slack", {"webhook_url": "https://x.example.com", "chanel": "#a"}, {"config.chanel"}),
        ("email", {"to": []}, {"config.to", "config.host"}),
        (
            "email",
            {**_MAIL, "to": ["a@b\r\nBcc: c@d"], "subject_prefix": "a\nb"},
            {"config.to", "config.subject_prefix"},
        ),
        ("email", {**_MAIL, "security": "none", "port": 0}, {"config.security", "config.port"}),
        ("email", {"to": "a@example.com", "password": "p"}, {"config.password", "config.host", "config.user"}),
        ("email", {"to": "a@example.com", "host": "mail.example.com"}, {"config.from"}),
        ("webhook", {"target_url": "https://u:p@example.com"}, {"config.target_url"}),
    ],
    ids=["lacking", "wrong", "unknown", "nobody", "header", "plain", "no-host", "no-from", "user"],
)
def test_every_fault_of_a_config_is_told_at_once(
    api: Caller, kind: str, config: dict[str, Any], faults: set[str]
) -> None:
    body = {"type": kind, "config": config, "event_types": ["sync_job_run:exploded"]}

    answer = api.post("/notification-destination", body)

    assert (answer.status, set(_failures(answer))) == (400, {*faults, "event_types[0]"})
    assert "expected one of sync_job_run:failed" in _failures(answer)["event_types[0]"]


def test_type_is_one_of_some_and_stays(api: Caller) -> None:
    unknown = api.post("/notification-destination", {"type": "pager", "config": {}})
    made = api.post("/notification-destination", {"type": "slack", "config": _CONFIGS["slack"]})
    changed = api.patch(f"/notification-destination/{made.body['id']}", {"type": "email"})

    assert _failures(unknown) == {"type": "expected one of: slack, email, webhook"}
    assert "can not be changed" in _failures(changed)["type"]


def test_test_really_sends_and_says_what_was_answered(api: Caller, slack: HttpServer) -> None:
    answers = []
    for path in ("good", "bad"):
        config = {"webhook_url": f"{slack.url}/{path}"}
        made = api.post("/notification-destination", {"type": "slack", "config": config})
        answers.append(api.post(f"/notification-destination/{made.body['id']}/test", {}))
    good, bad = answers

    assert good.body == {"success": True, "data": {"status_code": 200, "answer": "ok"}}
    assert (bad.status, bad.body["message"]) == (502, "the receiver answered 404: no_service")
    assert api.post(f"/notification-destination/{new_id()}/test", {}).status == 404


@pytest.fixture
def destination(api: Caller) -> str:
    return str(api.post("/notification-destination", {"type": "slack", "config": _CONFIGS["slack"]}).body["id"])


def test_rule_of_each_event_is_kept(api: Caller, catalog: Catalog, destination: str) -> None:
    for name, event in events.EVENTS.items():
        scope = {
            **({"sync_job_id": catalog.job["id"]} if event.has_job else {}),
            **({"integrated_account_id": catalog.account["id"]} if event.has_account else {}),
        }
        config = {"resource": "tickets"} if event.has_resource else {}
        body = {"notification_destination_id": destination, "event": name, "config": config, **scope}
        made = api.post("/notification-rule", body)
        assert (made.status, made.body["event"], made.body["is_active"]) == (201, name, True), made.body

    listed = api.get("/notification-rule", notification_destination_id=destination)
    assert len(listed.body["result"]) == len(events.EVENTS)
    api.delete(f"/notification-destination/{destination}")
    assert api.get("/notification-rule", notification_destination_id=destination).body["result"] == []


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({"event": "nothing"}, {"event"}),
        ({"event": events.STALE}, {"config.resource"}),
        (
            {"event": events.STALE, "config": {"resource": "", "minutes": 0, "hours": 1}},
            {"config.resource", "config.minutes", "config.hours"},
        ),
        ({"event": events.RECORDS_FELL, "config": {"percent": 101}}, {"config.percent"}),
        ({"event": events.RUN_FAILED, "config": {"count": 3}}, {"config.count"}),
        ({"event": events.RUN_FAILED, "config": [], "sync_job_id": "{job}"}, {"config"}),
        ({"event": events.WEBHOOK_DISABLED, "sync_job_id": "{job}"}, {"sync_job_id"}),
        ({"event": events.AUTHENTICATION_ERROR, "sync_job_id": "{job}"}, {"sync_job_id"}),
    ],
    ids=["event", "resource", "bounds", "percent", "no-bound", "no-object", "scope-of-webhook", "scope-of-account"],
)
def test_every_fault_of_a_rule_is_told_at_once(
    api: Caller, catalog: Catalog, destination: str, body: dict[str, Any], faults: set[str]
) -> None:
    made = {name: catalog.job["id"] if value == "{job}" else value for name, value in body.items()}

    answer = api.post("/notification-rule", {"notification_destination_id": destination, **made})

    assert (answer.status, set(_failures(answer))) == (400, faults)


def test_rule_of_another_environments_destination_is_refused(api: Caller, stranger: Caller, destination: str) -> None:
    answer = stranger.post(
        "/notification-rule", {"notification_destination_id": destination, "event": events.RUN_FAILED}
    )

    assert answer.status == 404
    assert "does not exist" in _failures(answer)["notification_destination_id"]
    assert stranger.get(f"/notification-destination/{destination}").status == 404
    assert stranger.post(f"/notification-destination/{destination}/test", {}).status == 404


def test_rule_changes_its_bounds_and_not_what_it_watches(api: Caller, destination: str) -> None:
    body = {"notification_destination_id": destination, "event": events.STALE, "config": {"resource": "tickets"}}
    made = api.post("/notification-rule", body)
    path = f"/notification-rule/{made.body['id']}"

    changed = api.patch(path, {"config": {"resource": "users", "minutes": 5}, "label": "fresh", "is_active": False})
    refused = api.patch(path, {"event": events.RUN_FAILED, "config": {"minutes": 5}})

    assert (changed.body["config"], changed.body["label"], changed.body["is_active"]) == (
        {"resource": "users", "minutes": 5},
        "fresh",
        False,
    )
    assert set(_failures(refused)) == {"event", "config.resource"}


@pytest.mark.parametrize("role", [Role.READ, Role.RUN])
def test_who_may_not_change_may_read(
    app: Flask, services: ApiServices, environment_id: EnvironmentId, destination: str, role: Role
) -> None:
    _, secret = services.tokens.create(environment_id, "reader", role=role)
    reader = Caller(app.test_client(), secret)
    path = f"/notification-destination/{destination}"

    rule = {"notification_destination_id": destination, "event": events.RUN_FAILED}
    refused = [
        reader.post("/notification-destination", {"type": "slack", "config": _CONFIGS["slack"]}),
        reader.patch(path, {"label": "x"}),
        reader.post(f"{path}/test", {}),
        reader.delete(path),
        reader.post("/notification-rule", rule),
    ]

    assert [answer.status for answer in refused] == [403] * 5
    assert reader.get(path).status == 200
