"""Batches that wait for a webhook are merged: few deliveries, every record once, in order, whoever dies meanwhile."""

from collections.abc import Sequence

import pytest

from app.engine.json_types import JsonObject
from app.services.reading.ports import LogFilters
from app.store.reading.account_log import LogReader
from tests.support.customer import Customer, Lists
from tests.support.pump_database import PumpDatabase
from tests.support.pump_proofs import stride
from tests.support.workspace import child_of, listed

pytestmark = pytest.mark.timeout(180)

TICKETS = [{"id": f"t{number}"} for number in range(8)]
RESOURCES = [listed("tickets"), child_of("tickets", "comments"), child_of("tickets", "notes")]
API: Lists = {
    "tickets": {None: TICKETS},
    "comments": {ticket["id"]: [{"id": f"c-{ticket['id']}", "n": 2**70}] for ticket in TICKETS},
    "notes": {ticket["id"]: [{"id": f"n-{ticket['id']}"}] for ticket in TICKETS},
}
HELD = {record["id"] for lists in API.values() for records in lists.values() for record in records}
ONE_BY_ONE = {"children_per_unit": 1, "requests_per_account": 1}


def customer_of(database: PumpDatabase, *, changes_only: bool = False, merge_records: int = 500) -> Customer:
    limits = {**ONE_BY_ONE, "delivery_merge_records": merge_records}
    return Customer(database, RESOURCES, to_webhook=True, webhook={"changes_only": changes_only}, limits=limits)


def batches_of(customer: Customer) -> Sequence[JsonObject]:
    """What the receiver took, each event once."""
    taken = dict(customer.world.receiver.taken).values()
    return [body for body in taken if body["event"] == "sync_job_run:record"]


def ids_of(batches: Sequence[JsonObject]) -> list[str]:
    return [record["id"] for batch in batches for record in batch["payload"]["records"]]


def test_records_that_come_one_by_one_are_few_deliveries(pump_database: PumpDatabase) -> None:
    alone, merged = customer_of(pump_database, merge_records=0), customer_of(pump_database)
    alone.run(API)

    merged.run(API)

    batches = batches_of(merged)
    assert (len(batches_of(alone)), len(batches)) == (20, len(merged.rows(_DELIVERIES)))
    assert len(batches) <= 10
    assert sorted(ids_of(batches)) == sorted(ids_of(batches_of(alone))) == sorted(HELD)


def test_numbers_of_merged_batches_are_a_chain_and_the_log_holds_all_of_them(pump_database: PumpDatabase) -> None:
    customer = customer_of(pump_database)

    customer.run(API)

    batches = batches_of(customer)
    numbers = [batch["sequence"] for batch in batches]
    assert numbers == sorted(set(numbers))
    assert [batch["previous_sequence"] for batch in batches] == [None, *numbers[:-1]]
    log = LogReader(pump_database.engine).read(LogFilters(integrated_account_id=customer.account, after=0, limit=100))
    assert [(record.sequence, record.id) for record in log.result] == [
        (batch["sequence"], record["id"]) for batch in batches for record in batch["payload"]["records"]
    ]
    assert {record.data["n"] for record in log.result if "n" in record.data} == {2**70}


def test_children_come_behind_their_parents(pump_database: PumpDatabase) -> None:
    customer = customer_of(pump_database)

    customer.run(API)

    order = ids_of(batches_of(customer))
    assert all(order.index(ticket["id"]) < order.index(f"c-{ticket['id']}") for ticket in TICKETS)


def test_webhook_that_is_told_of_changes_only_is_told_once(pump_database: PumpDatabase) -> None:
    customer = customer_of(pump_database, changes_only=True)
    customer.run(API)
    assert len(batches_of(customer)) <= 10
    assert sorted(ids_of(batches_of(customer))) == sorted(HELD)

    customer.run(API)

    assert batches_of(customer) == []


@pytest.mark.parametrize("changes_only", [False, True], ids=["all records", "changes only"])
@pytest.mark.parametrize("moment", ["kill_before", "kill_after"])
def test_no_record_comes_under_two_ids_when_a_daemon_dies(
    pump_database: PumpDatabase, moment: str, *, changes_only: bool
) -> None:
    for commit in range(12, 132, stride(40)):
        customer = customer_of(pump_database, changes_only=changes_only)

        outcome = customer.run(API, kill={moment: commit})

        assert sorted(ids_of(batches_of(customer))) == sorted(HELD), commit
        assert (outcome.run["status"], outcome.unfinished) == ("completed", [])


_DELIVERIES = "select id from delivery where run_id = :run_id and event = 'sync_job_run:record'"
