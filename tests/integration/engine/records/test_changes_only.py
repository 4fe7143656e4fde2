"""A webhook that asks for changes only gets each change once, whatever becomes of its events and of the daemons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import text

from app.bootstrap.api import ApiServices, build_api_services
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.status import RunStatus
from app.services.runs.requests import RunRequest
from app.store.catalog.tokens import TokenStore
from app.store.records import webhook_changes
from tests.support.pump import Pump, World, handle
from tests.support.pump_database import Outcome, PumpDatabase
from tests.support.pump_jobs import Job, MemoryApi, MemoryReceiver
from tests.support.pump_proofs import stride

pytestmark = pytest.mark.timeout(180)

TRACKED = [{"resource": "users", "method": "list", "persist": True, "delete_tracking": "soft"}]
TOLD = [{"resource": "users", "method": "list", "persist": True, "deleted_when": "deleted"}]
WAYS = pytest.mark.parametrize(("resources", "deleted"), [(TRACKED, []), (TOLD, [{"id": "u5", "deleted": True}])])
"""Ways in which u5 is known to be deleted, and what the upstream lists of it."""


def users(**names: str) -> Sequence[JsonObject]:
    return [{"id": id, "name": name} for id, name in names.items()]


def many(count: int) -> dict[str, str]:
    return {f"u{number}": "same" for number in range(count)}


def told(receiver: MemoryReceiver) -> list[tuple[str, list[str]]]:
    """List what the receiver was told: the change, and the ids of its records; deliveries that came twice once."""
    bodies = dict(receiver.taken).values()
    batches = [body["payload"] for body in bodies if body["event"] == "sync_job_run:record"]
    return [(batch["meta"]["change"], sorted(record["id"] for record in batch["records"])) for batch in batches]


def kinds(receiver: MemoryReceiver) -> list[str]:
    return [body["event"].removeprefix("sync_job_run:") for body in dict(receiver.taken).values()]


@dataclass
class Customer:
    """One account and one webhook, for which a job runs again and again."""

    database: PumpDatabase
    resources: Sequence[JsonObject] = field(default_factory=lambda: TRACKED)
    webhook: Mapping[str, Any] = field(default_factory=lambda: {"changes_only": True})

    def __post_init__(self) -> None:
        self.world = World(self.database, Job(name="changes", resources=self.resources, api={}, to_webhook=True))
        self.environment: EnvironmentId = TokenStore(self.database.engine).ensure_environment(new_id())
        services = self.services()
        config = {"base_url": "http://memory.invalid"}
        services.integrations.create(self.environment, {"name": "acme", "config": config})
        self.account = services.accounts.create(self.environment, {"integration_name": "acme", "tenant_id": "t"}).id
        target = {"target_url": "http://memory.invalid", **self.webhook}
        self.webhook_id = services.webhooks.create(self.environment, target).id
        job = {"integration_name": "acme", "resources": self.resources}
        self.job_id = services.jobs.create(self.environment, job).id

    def services(self) -> ApiServices:
        return build_api_services(self.world.settings, self.world.outside(self.database.engine))

    def post(self, records: Sequence[JsonObject], **request: Any) -> str:
        """Create a run that will find these users, before a receiver of its own."""
        self.world.receiver = MemoryReceiver()
        self.world.api = MemoryApi(replace(self.world.job, api={"users": {None: records}}))
        asked = RunRequest(
            sync_job_id=self.job_id, integrated_account_id=self.account, webhook_id=self.webhook_id, **request
        )
        return self.services().runs.create(self.environment, asked)[0].id

    def run(self, records: Sequence[JsonObject], **request: Any) -> Outcome:
        """Carry out such a run; give what it came to."""
        run_id = self.post(records, **request)
        with Pump(self.world) as pump:
            outcome = pump.run(run_id)
        verified = self.services().runs.verify(self.environment, run_id)
        assert verified.is_balanced, verified.checks
        return outcome


def test_second_run_tells_only_what_has_changed_and_its_books_balance(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database)
    first = customer.run(users(a="Ann", b="Bob", c="Cid"))
    assert told(customer.world.receiver) == [("created", ["a", "b"]), ("created", ["c"])]

    second = customer.run(users(a="Ann", b="Bobby", c="Cid", d="Dan"))

    assert told(customer.world.receiver) == [("updated", ["b"]), ("created", ["d"])]
    assert kinds(customer.world.receiver) == ["created", "started", "record", "record", "completed"]
    counted = [{name: run.resources[0][name] for name in ("fetched", "queued", "unchanged")} for run in (first, second)]
    assert counted == [{"fetched": 3, "queued": 3, "unchanged": 0}, {"fetched": 4, "queued": 2, "unchanged": 2}]
    assert second.run["status"] == "completed"
    assert second.records == {}


def test_very_large_page_is_compared_and_told_in_parts(
    pump_database: PumpDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryApi, "page_size", 100)
    monkeypatch.setattr(webhook_changes, "_COMPARED_AT_ONCE", 2)
    monkeypatch.setattr(webhook_changes, "_SENT_AT_ONCE", 3)
    customer = Customer(pump_database)
    customer.run(users(a="Ann", b="Bob", c="Cid", d="Dan"))
    assert told(customer.world.receiver) == [("created", ["a", "b", "c"]), ("created", ["d"])]

    customer.run(users(a="Ann", b="Bo", c="Ci", d="Da", e="Eve", f="Fay"))

    assert told(customer.world.receiver) == [("updated", ["b", "c", "d"]), ("created", ["e", "f"])]


def test_vanished_record_is_told_as_deleted_once_and_as_created_when_it_is_back(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database)
    everybody = many(6)
    fewer = {id: name for id, name in everybody.items() if id != "u3"}
    customer.run(users(**everybody))

    gone = customer.run(users(**fewer))
    assert told(customer.world.receiver) == [("deleted", ["u3"])]
    assert kinds(customer.world.receiver) == ["created", "started", "record", "completed"]
    assert (gone.resources[0]["deleted"], gone.resources[0]["delivered"]) == (1, 1)

    customer.run(users(**fewer))
    assert told(customer.world.receiver) == []

    customer.run(users(**everybody))
    assert told(customer.world.receiver) == [("created", ["u3"])]


def test_too_many_deletions_are_refused_and_nothing_is_told(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database)
    customer.run(users(**many(6)))

    outcome = customer.run(users(**many(3)))

    assert [error["code"] for error in outcome.errors] == ["delete_guard"]
    assert told(customer.world.receiver) == []


def test_what_a_stopped_run_did_not_send_is_told_by_the_next(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database)
    customer.run(users(a="Ann", b="Bob"))
    run_id = customer.post(users(a="Anna", b="Bob", c="Cid"))
    with Pump(customer.world) as pump:
        while not waiting_records(pump_database, run_id):
            message = customer.world.mailbox.take()
            assert message is not None
            handle(pump.daemon, customer.world.mailbox, message)
        customer.services().runs.stop(customer.environment, run_id)
        pump.run(run_id)

    customer.run(users(a="Anna", b="Bob", c="Cid"))

    assert told(customer.world.receiver) == [("updated", ["a"]), ("created", ["c"])]


def waiting_records(database: PumpDatabase, run_id: str) -> int:
    sql = "select coalesce(sum(records), 0) from delivery where run_id = :run_id and status = 'pending'"
    with database.engine.connect() as connection:
        return int(connection.execute(text(sql), {"run_id": run_id}).scalar_one())


@WAYS
def test_what_was_given_up_is_told_by_the_next_run(
    pump_database: PumpDatabase, resources: Sequence[JsonObject], deleted: Sequence[JsonObject]
) -> None:
    customer = Customer(pump_database, resources)
    everybody = many(6)
    customer.run(users(**everybody))
    without_one = {**everybody, "u1": "other"}
    del without_one["u5"]
    run_id = customer.post([*users(**without_one), *deleted])

    class Refusing(MemoryReceiver):
        def submit(self, webhook: Any, event_id: str, body: bytes) -> Any:
            if b"sync_job_run:record" in body:
                self._refuse_each = 1
            return super().submit(webhook, event_id, body)

    customer.world.receiver = Refusing()
    customer.world.settings = replace(customer.world.settings, delivery_retention_seconds=0)
    with Pump(customer.world) as pump:
        outcome = pump.run(run_id)
    assert outcome.resources[0]["dead_lettered"] == 2
    customer.world.settings = replace(customer.world.settings, delivery_retention_seconds=3600)

    customer.run([*users(**without_one), *deleted])

    assert told(customer.world.receiver) == [("updated", ["u1"]), ("deleted", ["u5"])]


@WAYS
@pytest.mark.parametrize("moment", ["before", "after"])
def test_no_change_is_lost_or_told_twice_wherever_the_daemon_dies(
    pump_database: PumpDatabase, moment: str, resources: Sequence[JsonObject], deleted: Sequence[JsonObject]
) -> None:
    before, after = {**many(6), "u1": "old"}, {**many(5), "u6": "new"}
    expected = [("updated", ["u1"]), ("created", ["u6"]), ("deleted", ["u5"])]

    for number in range(1, 40, stride(9)):
        customer = Customer(pump_database, resources)
        customer.run(users(**before))
        run_id = customer.post([*users(**after), *deleted])
        with Pump(customer.world, **{f"kill_{moment}": number}) as pump:
            outcome = pump.run(run_id)

        assert outcome.run["status"] == RunStatus.COMPLETED
        assert sorted(told(customer.world.receiver)) == sorted(expected)
        if not pump.kills:
            return
    raise AssertionError("the run never got to its end undisturbed")


def test_webhook_that_asks_for_every_record_gets_no_change(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, webhook={})
    customer.run(users(a="Ann"))

    outcome = customer.run(users(a="Ann"))

    batches = [body["payload"] for _, body in customer.world.receiver.taken if "records" in body["payload"]]
    assert [(batch["meta"], len(batch["records"])) for batch in batches] == [({}, 1)]
    assert outcome.resources[0]["queued"] == 1


@pytest.mark.parametrize("changes_only", [False, True])
def test_run_that_sends_no_records_counts_them_as_withheld(pump_database: PumpDatabase, changes_only: bool) -> None:
    customer = Customer(pump_database, webhook={"changes_only": changes_only})

    outcome = customer.run(users(a="Ann", b="Bob"), events_to_send=["sync_job_run:completed"])

    assert kinds(customer.world.receiver) == ["completed"]
    assert (outcome.resources[0]["withheld"], outcome.resources[0]["queued"]) == (2, 0)
    assert outcome.run["status"] == "completed"


def test_run_that_sends_nothing_completes(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database)

    outcome = customer.run(users(a="Ann"), events_to_send=[])

    assert kinds(customer.world.receiver) == []
    assert outcome.run["status"] == "completed"
