"""Deliveries over HTTP: walls, and what can not be sent again."""

import pytest
from sqlalchemy import Engine, text

from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from tests.integration.api.calling import Caller, Catalog

_INSERT = text("""
    insert into delivery (id, run_id, webhook_id, event, body, status)
    values (:id, :run_id, :webhook_id, 'sync_job_run:completed', :body, :status)
""")


@pytest.fixture
def webhook(api: Caller) -> JsonObject:
    found: JsonObject = api.post("/webhook", {"target_url": "https://example.com/hook"}).body
    return found


@pytest.fixture
def deliver(api: Caller, catalog: Catalog, webhook: JsonObject, engine: Engine):
    """Write a delivery of a run of its own; give its id."""
    run_id = api.post("/sync-job-run", {**catalog.run_body, "webhook_id": webhook["id"]}).body["id"]

    def write(status: str = "delivered", body: bytes = b"{}") -> str:
        id = new_id()
        values = {"id": id, "run_id": run_id, "webhook_id": webhook["id"], "body": body, "status": status}
        with engine.begin() as connection:
            connection.execute(_INSERT, values)
        return id

    return write


def test_pages_and_narrows(api: Caller, webhook: JsonObject, deliver) -> None:
    ids = [deliver("delivered"), deliver("delivered"), deliver("pending")]
    path = f"/webhook/{webhook['id']}/deliveries"

    first = api.get(path, limit=2).body
    rest = api.get(path, limit=2, next_cursor=first["next_cursor"]).body

    assert [row["id"] for row in (*first["result"], *rest["result"])] == ids[::-1]
    assert [row["id"] for row in api.get(path, status="pending").body["result"]] == ids[2:]
    assert api.get(path, event="none").body["result"] == []
    assert api.get(path, status="lost").paths == ["status"]


def test_what_retention_has_removed_can_not_be_sent_again(api: Caller, webhook: JsonObject, deliver) -> None:
    id = deliver(body=b"")

    answer = api.post(f"/webhook/{webhook['id']}/deliveries/{id}/retry", {})

    assert (answer.status, "retention" in answer.body["message"]) == (400, True)
    assert api.get(f"/webhook/{webhook['id']}/deliveries/{id}").body["status"] == "delivered"


def test_other_environments_and_other_webhooks_see_nothing(
    api: Caller, stranger: Caller, webhook: JsonObject, deliver
) -> None:
    id = deliver()
    other = api.post("/webhook", {"target_url": "https://example.com/other"}).body["id"]
    path = f"/webhook/{webhook['id']}/deliveries"

    assert stranger.get(path).status == 404
    assert stranger.get(f"{path}/{id}").status == 404
    assert stranger.post(f"{path}/{id}/retry", {}).status == 404
    assert api.get(f"/webhook/{other}/deliveries/{id}").status == 404
    assert api.post(f"/webhook/{other}/deliveries/{id}/retry", {}).status == 404
    assert api.get(f"{path}/{new_id()}").status == 404
    assert api.get(f"{path}/nonsense").status == 404
