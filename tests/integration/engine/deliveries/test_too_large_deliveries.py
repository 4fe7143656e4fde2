"""Batches that a receiver refuses as too large: sent in parts, and of one record that alone is too large only its size.

The books count every record once, whatever became of the events that it was in.
"""

import json
from concurrent.futures import Future
from typing import Any

import pytest
from sqlalchemy import text

from app.bootstrap.api import build_api_services
from app.engine.errors import ConflictError, DeliveryError
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.engine.objects.webhooks import Webhook
from app.services.runs.runs import verify_run
from app.store.runs.recounts import RecountStore
from tests.support.pump import Pump, World
from tests.support.pump_database import PumpDatabase
from tests.support.pump_jobs import Job, MemoryReceiver
from tests.support.upstream import numbered
from tests.support.workspace import child_of, listed

LARGE = "x" * 2000
USERS = [{**user, "text": LARGE if user["number"] == 3 else ""} for user in numbered("user", 8)]
JOB = Job(
    name="large",
    resources=[listed("users"), child_of("users", "notes")],
    api={"users": {None: USERS}, "notes": {user["id"]: numbered(f"{user['id']}-note", 1) for user in USERS}},
    to_webhook=True,
)


class SmallReceiver(MemoryReceiver):
    """Takes no batch of more than so many bytes."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def submit(self, webhook: Webhook, event_id: str, body: bytes) -> "Future[int]":
        if len(body) <= self.most or b'"sync_job_run:record"' not in body:
            return super().submit(webhook, event_id, body)
        future: Future[int] = Future()
        future.set_exception(DeliveryError("the receiver answered 413", status=413))
        return future


class OneLargePage(World):
    """All users come in one page, and so in one batch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.api.page_size = 100  # type: ignore[misc]  # of this API alone


class Ended:
    """A run that has come to its end."""

    def __init__(self, database: PumpDatabase, most: int, **webhook: Any) -> None:
        self.receiver = SmallReceiver(most)
        self.world = OneLargePage(database, JOB, receiver=self.receiver)
        self.database = database
        self.run_id = self.world.post()
        self.services = build_api_services(self.world.settings, self.world.outside(database.engine))
        with database.engine.begin() as connection:
            statement = text("select environment_id, webhook_id from sync_job_run where id = :id")
            row = connection.execute(statement, {"id": self.run_id}).one()
            if webhook:
                told = "update sync_job_run set changes_only = true where id = :id"
                connection.execute(text(told), {"id": self.run_id})
        self.environment, self.webhook_id = EnvironmentId(str(row.environment_id)), str(row.webhook_id)
        with Pump(self.world) as pump:
            self.outcome = pump.run(self.run_id)

    def deliveries(self, **equal: str) -> list[Any]:
        filters = ListFilters(equal={"event": "sync_job_run:record", **equal}, limit=1000)
        return list(self.services.deliveries.list(self.environment, self.webhook_id, filters).result)

    def told(self, resource: str) -> list[dict[str, Any]]:
        bodies = [body for _, body in self.receiver.taken if body["event"] == "sync_job_run:record"]
        return [body for body in bodies if body["payload"]["resource"] == resource]

    def failed_checks(self) -> list[object]:
        run = self.services.runs.get(self.environment, self.run_id)
        verification = verify_run(run, RecountStore(self.database.engine).recount)
        return [check for check in verification.checks if not check.holds]

    def users(self) -> dict[str, int]:
        return {name: value for name, value in self.outcome.resources[1].items() if isinstance(value, int)}


def test_run_completes_and_its_books_balance_though_one_record_is_too_large(pump_database: PumpDatabase) -> None:
    ended = Ended(pump_database, most=1500)

    assert ended.outcome.run["status"] == "completed"
    assert ended.failed_checks() == []
    sent = [record["id"] for body in ended.told("users") for record in body["payload"]["records"]]
    assert sent == [user["id"] for user in USERS if user["number"] != 3]
    users = ended.users()
    assert (users["fetched"], users["queued"], users["delivered"], users["quarantined"]) == (8, 7, 7, 1)
    (error,) = ended.outcome.errors
    (parked,) = ended.deliveries(status="quarantined")
    assert (error["code"], error["details"]["delivery_id"], error["details"]["ids"]) == (
        "too_large",
        parked.id,
        ["user-3"],
    )
    assert error["details"]["bytes"] > len(LARGE)
    assert parked.last_status_code == 413


def test_parts_stand_in_the_place_of_what_was_split_and_leave_no_gap(pump_database: PumpDatabase) -> None:
    ended = Ended(pump_database, most=1000)

    last = None
    for _, body in ended.receiver.taken:
        if "sequence" in body and body["payload"]["resource"] == "users":
            assert last is None or body["previous_sequence"] == last
            last = body["sequence"]
    events = [body["event"] for _, body in ended.receiver.taken]
    assert events[-1] == "sync_job_run:completed"
    split = {delivery.id: delivery.records for delivery in ended.deliveries(status="split")}
    parts = [delivery for delivery in ended.deliveries() if delivery.part_of]
    assert {part.part_of for part in parts} == set(split)
    for id, records in split.items():
        assert sum(part.records for part in parts if part.part_of == id) == records


def test_what_was_split_can_not_be_sent_again_and_what_is_quarantined_can(pump_database: PumpDatabase) -> None:
    ended = Ended(pump_database, most=1500)
    (parked,) = ended.deliveries(status="quarantined")
    split = ended.deliveries(status="split")[0]

    with pytest.raises(ConflictError, match="part_of"):
        ended.services.deliveries.retry(ended.environment, ended.webhook_id, split.id)
    ended.receiver.most = 10_000
    ended.services.deliveries.retry(ended.environment, ended.webhook_id, parked.id)
    with Pump(ended.world) as pump:
        ended.outcome = pump.run(ended.run_id)

    assert ended.deliveries(status="quarantined") == []
    users = ended.users()
    assert (users["queued"], users["delivered"], users["quarantined"]) == (8, 8, 0)
    assert ended.failed_checks() == []


def test_webhook_of_changes_is_told_again_of_what_it_could_not_take_and_of_nothing_else(
    pump_database: PumpDatabase,
) -> None:
    ended = Ended(pump_database, most=1500, changes_only=True)

    with pump_database.engine.connect() as connection:
        statement = """
            select told.remote_id, delivery.status, told.remote_id = any(delivery.remote_ids) as is_its_own
              from webhook_record told join delivery on delivery.id = told.delivery_id
             where told.webhook_id = :id and told.resource = 'users'
        """
        rows = connection.execute(text(statement), {"id": ended.webhook_id}).all()
    assert {row.remote_id for row in rows} == {user["id"] for user in USERS if user["number"] != 3}
    assert {(row.status, row.is_its_own) for row in rows} == {("delivered", True)}
    assert ended.outcome.run["status"] == "completed"
    assert ended.failed_checks() == []


def test_body_of_a_part_is_what_the_delivery_shows(pump_database: PumpDatabase) -> None:
    ended = Ended(pump_database, most=1500)
    part = next(delivery for delivery in ended.deliveries(status="delivered") if delivery.part_of)

    shown = ended.services.deliveries.get(ended.environment, ended.webhook_id, part.id)

    assert shown.body is not None
    body = json.loads(shown.body)
    assert (body["id"], len(body["payload"]["records"])) == (part.id, part.records)
