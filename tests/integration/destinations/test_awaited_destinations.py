"""A run with ``wait_for_destinations`` completes once its records have landed, and says for whom it waits."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.engine.errors import InvalidInputError
from app.engine.json_types import JsonObject
from app.services.runs.requests import RunRequest
from tests.support.landing import Landing
from tests.support.target import TargetDatabase

_BEGUN = """
    update sync_job_run set status = 'running', begun_at = now() where id = :run
"""
_CHANGED = """
    update run_resource set first_sequence = :first, last_sequence = :last where run_id = :run
"""
_OWN = "update record set sync_job_run_id = :run where integrated_account_id = :account and sequence >= :first"


class AwaitingRun:
    """A run that has written all that it had to, and waits."""

    def __init__(self, landing: Landing, account: str, *, wishes: bool | None = True, job_waits: bool = False) -> None:
        self.landing = landing
        items = [{"resource": name, "method": "list"} for name in ("tickets", "users")]
        body: JsonObject = {"integration_name": "acme", "resources": items}
        job = landing.api.jobs.create(landing.environment, {**body, "wait_for_destinations": job_waits})
        request = RunRequest(sync_job_id=job.id, integrated_account_id=account, wait_for_destinations=wishes)
        self.id = landing.api.runs.create(landing.environment, request, idempotency=None)[0].id
        self._change(_BEGUN, run=self.id)
        self._account = account

    def write(self, **records: JsonObject) -> None:
        """Write records of each resource as its own."""
        first = self._last() + 1
        for resource, some in records.items():
            self.landing.write(self._account, some, resource=resource)
        self._change(_CHANGED, run=self.id, first=first, last=self._last())
        self._change(_OWN, run=self.id, account=self._account, first=first)

    def settle(self) -> None:
        self.landing.daemon.lifecycle.settle(self.id)

    def sweep(self) -> None:
        """Do the leader's duty for runs that wait."""
        limit = self.landing.settings.destination_wait_seconds
        for run_id in self.landing.shared.runs.find_landed(limit_seconds=limit, limit=9):
            self.landing.daemon.lifecycle.settle(run_id)

    def show(self) -> Any:
        return self.landing.api.runs.get(self.landing.environment, self.id)

    def waits(self) -> list[str]:
        found = self.landing.api.reading.diagnosis.explain(self.landing.environment, self.id).waits
        return [wait.message for wait in found if wait.kind == "destination"]

    def _last(self) -> int:
        rows = self.landing.rows(
            "select last_sequence from account_log where integrated_account_id = :a", a=self._account
        )
        return int(rows[0]["last_sequence"]) if rows else 0

    def _change(self, statement: str, **values: object) -> None:
        with self.landing.engine.begin() as connection:
            connection.execute(text(statement), values)


def test_a_run_completes_once_its_records_have_landed_and_its_books_say_where(
    landing: Landing, target: TargetDatabase
) -> None:
    all_of_it = landing.destination(target.config, label="warehouse")
    some = landing.destination(target.config, resources=["users"], options={"schema": "copies"})
    other = landing.destination(target.config, integrated_account_id=landing.account())
    account = landing.account()
    run = AwaitingRun(landing, account)
    run.write(tickets={"1": {"n": 1}, "2": {"n": 2}}, users={"9": {"n": 9}})

    run.settle()
    run.sweep()
    before, waits = run.show(), run.waits()
    landing.land()
    run.sweep()

    assert (before.status, before.destinations) == ("running", None)
    assert len(waits) == 2
    assert f"destination {all_of_it} ('warehouse'), which has to read 3 more numbers of the account's log" in str(waits)
    after = run.show()
    assert after.status == "completed"
    books = {one["destination_id"]: one for one in after.destinations}
    assert books.keys() == {all_of_it, some}
    assert other not in books
    facts = {"destination_id": all_of_it, "label": "warehouse", "through": 3, "records": 3}
    assert {name: books[all_of_it][name] for name in facts} == facts
    # Both write to the same tables: what one has written the other finds there.
    outcomes = ("written", "unchanged", "quarantined", "filtered")
    found = sorted([books[one][name] for name in outcomes] for one in (all_of_it, some))
    assert found in ([[0, 1, 0, 2], [3, 0, 0, 0]], [[1, 0, 0, 2], [2, 1, 0, 0]])


def test_what_does_not_fit_a_frozen_schema_is_in_the_books(landing: Landing, target: TargetDatabase) -> None:
    landing.destination(target.config)
    account = landing.account()
    landing.write(account, {"1": {"n": 1}})
    landing.land()
    with landing.engine.begin() as connection:
        connection.execute(text("update resource_schema set policy = 'freeze'"))
    run = AwaitingRun(landing, account)
    run.write(tickets={"2": {"n": 2}, "3": {"n": "three"}})
    run.settle()

    landing.land()
    run.sweep()

    (books,) = run.show().destinations
    assert (books["records"], books["written"], books["quarantined"]) == (2, 1, 1)


@pytest.mark.parametrize("kind", ["postgres", "duckdb", "filesystem"])
def test_each_entry_of_a_run_is_counted_once_by_what_became_of_it(
    database_url: str, target: TargetDatabase, tmp_path: Path, kind: str
) -> None:
    landing = Landing(database_url, {"destination_directory": str(tmp_path)})
    try:
        config = target.config if kind == "postgres" else {"path": "lake"}
        body = {"datastore_id": landing.datastore(config, kind), "resources": ["tickets"]}
        fields = {"daemon_group_key": "default"} if kind == "duckdb" else {}
        destination = landing.api.landing.destinations.create(landing.environment, {**body, **fields}).destination.id
        account = landing.account()
        run, other = AwaitingRun(landing, account), AwaitingRun(landing, account)
        run.write(tickets={"1": {"n": 1}, "2": {"n": 2}})
        landing.land()
        # Some of the target's rows are newer than the log, as after a second daemon: these stay as they are.
        if kind == "postgres":
            target.execute(
                "insert into acme.tickets select account_id, tenant_id, '4', 99, synced_at from acme.tickets limit 1"
            )
        other.write(tickets={"3": {"n": 3}})
        run.write(tickets={"4": {"n": 4}, "5": {"n": 5}}, users={"1": {"n": 1}})
        other.write(tickets={"6": {"n": 6}})
        for one in (run, other):
            one.settle()
        landing.land()
        # What is written again is not counted again.
        landing.api.landing.destinations.backfill(landing.environment, destination, from_sequence=2)
        landing.land()
        for one in (run, other):
            one.sweep()

        ((books,), (others,)) = run.show().destinations, other.show().destinations
    finally:
        landing.close()

    unchanged = 1 if kind == "postgres" else 0
    outcomes = {"written": 4 - unchanged, "unchanged": unchanged, "quarantined": 0, "filtered": 1}
    assert {name: books[name] for name in outcomes} == outcomes
    assert books["records"] == sum(outcomes.values())
    assert (others["records"], others["written"]) == (2, 2)


def test_a_paused_destination_is_named_and_the_run_fails_in_the_end(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination(target.config), landing.account()
    landing.api.landing.destinations.pause(landing.environment, destination)
    run = AwaitingRun(landing, account)
    run.write(tickets={"1": {"n": 1}})
    run.settle()
    (wait,) = run.waits()
    run._change("update sync_job_run set landing_since = now() - interval '2 h' where id = :run", run=run.id)

    run.sweep()

    shown = run.show()
    assert f"destination {destination}, which has to read 1 more" in wait
    assert "and is paused; the run fails at" in wait
    assert (shown.status, shown.error["code"]) == ("failed", "destinations_behind")
    assert destination in shown.error["message"]


def test_nobody_waits_for_what_is_deleted(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination({**target.config, "port": 1}), landing.account()
    waiting, deleted = AwaitingRun(landing, account), AwaitingRun(landing, landing.account())
    for run in (waiting, deleted):
        run.write(tickets={"1": {"n": 1}})
        run.settle()
    service = landing.api.landing.destinations

    landing.api.runs.delete(landing.environment, deleted.id)
    service.rebuild(landing.environment, destination)
    service.delete(landing.environment, destination)
    waiting.sweep()
    deleted.sweep()

    assert (waiting.show().status, waiting.show().destinations) == ("completed", [])
    assert landing.rows("select status from sync_job_run where id = :id", id=deleted.id) == [{"status": "stopped"}]
    assert deleted.id not in landing.shared.runs.find_landed(limit_seconds=1, limit=1000)


def test_a_run_waits_for_a_rebuild_that_begins_meanwhile(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination(target.config), landing.account()
    run = AwaitingRun(landing, account)
    run.write(tickets={"1": {"n": 1}})
    run.settle()
    landing.land()
    landing.api.landing.destinations.rebuild(landing.environment, destination)

    run.sweep()
    during = run.show().status
    landing.land()
    run.sweep()

    assert (during, run.show().status) == ("running", "completed")
    assert [one["written"] for one in run.show().destinations] == [1]


def test_a_resumed_run_waits_anew(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination({**target.config, "port": 1}), landing.account()
    run = AwaitingRun(landing, account)
    run.write(tickets={"1": {"n": 1}})
    run.settle()
    landing.land(may_fail=True)
    assert f"destination {destination}, which has to read 1 more" in run.waits()[0]
    assert "and fails: " in run.waits()[0]
    run._change("update sync_job_run set landing_since = now() - interval '2 h' where id = :run", run=run.id)
    run.sweep()

    landing.api.runs.resume(landing.environment, run.id, errors_only=False)

    (row,) = landing.rows("select status, landing_since, error from sync_job_run where id = :id", id=run.id)
    assert row == {"status": "created", "landing_since": None, "error": None}


def test_a_run_that_changed_nothing_or_has_nowhere_to_land_waits_for_nobody(
    landing: Landing, target: TargetDatabase
) -> None:
    account = landing.account()
    nowhere = AwaitingRun(landing, account, wishes=None, job_waits=True)
    nowhere.write(tickets={"1": {"n": 1}})
    nowhere.settle()
    landing.destination({**target.config, "port": 1})
    nothing = AwaitingRun(landing, account)

    nothing.settle()

    assert [(run.show().status, run.show().destinations) for run in (nowhere, nothing)] == [("completed", [])] * 2


def test_a_run_that_does_not_ask_does_not_wait(landing: Landing, target: TargetDatabase) -> None:
    landing.destination({**target.config, "port": 1})
    run = AwaitingRun(landing, landing.account(), wishes=False, job_waits=True)
    run.write(tickets={"1": {"n": 1}})

    run.settle()

    assert (run.show().status, run.show().destinations) == ("completed", None)


def test_a_run_that_waits_is_neither_stuck_nor_unsettled(landing: Landing, target: TargetDatabase) -> None:
    landing.destination({**target.config, "port": 1})
    run = AwaitingRun(landing, landing.account())
    run.write(tickets={"1": {"n": 1}})
    run.settle()
    run._change("update sync_job_run set updated_at = now() - interval '1 h' where id = :run", run=run.id)

    runs = landing.shared.runs

    assert run.id not in runs.find_stuck(seconds=1, limit=1000)
    assert run.id not in runs.find_unsettled(limit=1000)


def test_a_webhooks_run_can_not_wait_for_destinations(landing: Landing) -> None:
    webhook = landing.api.webhooks.create(landing.environment, {"target_url": "https://hook.test"}).id
    try:
        landing.api.runs.create(
            landing.environment, RunRequest(webhook_id=webhook, wait_for_destinations=True), idempotency=None
        )
    except InvalidInputError as error:
        assert "wait_for_destinations" in [failure.path for failure in error.failures]
    else:
        raise AssertionError("it was accepted")
