"""`ferryman notification` and `notification-rule` against a served API on a real Postgres and a real receiver."""

from collections.abc import Iterator

import pytest

from app.net.addresses import LOOPBACK
from tests.support.http_server import Response
from tests.support.notified_place import Slack
from tests.support.served_api import ServedApi, served_api
from tests.support.servers import PostgresServer


@pytest.fixture(scope="module")
def api(postgres_server: PostgresServer) -> Iterator[ServedApi]:
    with served_api(postgres_server, allowed_networks=LOOPBACK) as made:
        yield made


def test_destination_and_rule_are_created_tested_changed_and_removed(api: ServedApi) -> None:
    slack = Slack()
    config = f'{{"webhook_url": "{slack.url}"}}'
    made = api.shown("notification", "create", "slack", "--config", config, "--label", "on call")
    id = made["id"]

    tested = api.ferryman("notification", "test", id)
    shown = api.ferryman("notification", "show", id).output
    bounds = '{"resource": "tickets", "minutes": 120}'
    rule = api.shown("notification-rule", "create", id, "record:stale", "--config", bounds, "--label", "fresh")
    listed = api.ferryman("notification-rule", "list", "--destination", id).output
    changed = api.shown("notification", "update", id, "--inactive", "--event", "record:stale")
    slack.answer = Response(status=410, body=b"gone")
    refused = api.ferryman("notification", "test", id)
    slack.close()

    assert (tested.exit_code, slack.texts[:1]) == (
        0,
        ["*A test of Ferryman*\nIf you can read this, notifications arrive here."],
    )
    assert "It was taken." in tested.output and "status_code: 200" in tested.output
    assert shown.startswith(f"notification destination {id}  slack  active")
    assert slack.url not in shown
    assert "record:stale" in listed and "fresh" in listed
    assert (changed["is_active"], changed["event_types"]) == (False, ["record:stale"])
    assert refused.exit_code == 1
    assert "the receiver answered 410: gone" in refused.output
    assert api.ferryman("notification-rule", "delete", rule["id"]).exit_code == 0
    assert api.ferryman("notification", "delete", id).exit_code == 0
    assert "There are no such notification destinations." in api.ferryman("notification", "list").output
