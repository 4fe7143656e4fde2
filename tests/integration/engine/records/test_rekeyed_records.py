"""A resource whose records get another key: the first run that has seen all replaces what it had, in one step."""

from collections.abc import Sequence
from typing import Any

import pytest

from app.engine.json_types import JsonObject
from tests.support.customer import Customer, Lists
from tests.support.pump_database import Outcome, PumpDatabase
from tests.support.pump_proofs import stride
from tests.support.workspace import child_of, listed

pytestmark = pytest.mark.timeout(180)


def line(number: int, **more: Any) -> JsonObject:
    return {"id": f"n{number}", "no": number, "of": "x", **more}


LINES = [line(number) for number in range(1, 6)]
FLAT: Lists = {"lines": {None: LINES}}
BY_NUMBER = [f'["x",{number}]' for number in range(1, 6)]
BY_ID = [f"n{number}" for number in range(1, 6)]
TRACKED = listed("lines", delete_tracking="soft")
INCREMENT = listed("lines", query={"since": "{{previous_run_date:undefined}}"})
ORDERS: Lists = {
    "orders": {None: [{"id": "a"}, {"id": "b"}]},
    "lines": {"a": [{"id": 1, "n": 1}], "b": [{"id": 1, "n": 2}]},
}


def ids(outcome: Outcome) -> list[str]:
    return sorted(id for resource, id in outcome.records if resource == "lines")


def keys(customer: Customer) -> list[int]:
    """Count the keys of each job by which records of the account may be held."""
    rows = customer.rows(
        "select jsonb_array_length(keys) as held from record_key where integrated_account_id = :account order by held"
    )
    return [row["held"] for row in rows]


@pytest.mark.parametrize("item", [listed("lines"), TRACKED], ids=["without delete tracking", "with"])
def test_first_run_under_another_key_replaces_all_records_beyond_the_guard(
    pump_database: PumpDatabase, item: JsonObject
) -> None:
    customer = Customer(pump_database, [item])
    customer.run(FLAT)
    customer.know_by(["of", "no"])

    outcome = customer.run(FLAT)

    assert (ids(outcome), customer.tombstones(), outcome.errors) == (BY_NUMBER, set(BY_ID), [])
    assert (outcome.resources[0]["deleted"], customer.warnings(), keys(customer)) == (5, {"rekeyed": 5}, [1])


def test_next_run_finds_nothing_to_do(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, [listed("lines")])
    customer.run(FLAT)
    customer.know_by(["of", "no"])
    customer.run(FLAT)

    outcome = customer.run({"lines": {None: LINES[:2]}})

    assert (ids(outcome), outcome.resources[0]["unchanged"], customer.warnings()) == (BY_NUMBER, 2, {})


def test_records_without_an_id_are_replaced_with_all_that_has_become_of_them(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, [listed("lines")], {"resources": {"lines": {"list": {"id_path": "nr"}}}})
    customer.run(FLAT)
    customer.run({"lines": {None: [line(number, late=True) for number in range(1, 6)]}})
    customer.know_by("id")

    outcome = customer.run(FLAT)

    assert (ids(outcome), len(customer.tombstones())) == (BY_ID, 10)


def test_fields_of_parents_make_another_key(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, [listed("orders"), child_of("orders", "lines")])
    customer.run(ORDERS)
    resources = [listed("orders"), child_of("orders", "lines", include_from_parent=["id"])]

    services = customer.services()
    finish = services.key_changes.watch_job(customer.environment, customer.job_id)
    services.jobs.update(customer.environment, customer.job_id, {"resources": resources})
    outcome = customer.run(ORDERS)

    assert [warning["resource"] for warning in finish()] == ["lines"]
    assert (ids(outcome), customer.tombstones()) == (['["a",1]', '["b",1]'], {"1"})


def test_run_with_an_error_replaces_nothing_and_the_next_one_does(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, [listed("lines")])
    customer.run(FLAT)
    customer.know_by(["of", "no"])

    broken = customer.run({"lines": {None: [*LINES[:4], {"id": "bad", "fault": 500}]}})
    warned = customer.warnings()
    whole = customer.run(FLAT)

    assert (ids(broken), warned) == (sorted([*BY_ID, *BY_NUMBER[:4]]), {"former_key": 1})
    assert (ids(whole), keys(customer)) == (BY_NUMBER, [1])


def test_increment_replaces_nothing_and_a_run_that_asks_for_everything_does(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, [INCREMENT])
    customer.run(FLAT)
    customer.know_by(["of", "no"])

    increment = customer.run({"lines": {None: LINES[:1]}})
    whole = customer.run(FLAT, ignore_previous_run=True)

    assert ids(increment) == sorted([*BY_ID, BY_NUMBER[0]])
    assert ids(whole) == BY_NUMBER


def test_empty_list_replaces_nothing(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, [listed("lines")])
    customer.run(FLAT)
    customer.know_by(["of", "no"])

    assert ids(customer.run({"lines": {None: []}})) == BY_ID
    assert ids(customer.run(FLAT)) == BY_NUMBER


def test_key_that_is_taken_back_leaves_each_record_once(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, [listed("lines")])
    customer.run(FLAT)
    customer.know_by(["of", "no"])
    customer.run({"lines": {None: [*LINES[:4], {"id": "bad", "fault": 500}]}})
    customer.know_by("id")

    outcome = customer.run(FLAT)

    assert (ids(outcome), keys(customer)) == (BY_ID, [1])


def test_config_that_changes_while_a_run_replaces_counts_from_the_next_one_on(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, [listed("lines")])
    customer.run(FLAT)
    customer.know_by(["of", "no"])
    run_id = customer.post(FLAT)
    asked: list[int] = []

    def change_on_second_page() -> None:
        asked.append(len(asked))
        if len(asked) == 2:
            customer.know_by("no")

    customer.world.api.on_ask = change_on_second_page
    first = customer.pump(run_id)
    second = customer.run(FLAT)

    assert ids(first) == BY_NUMBER
    assert (ids(second), keys(customer)) == (["1", "2", "3", "4", "5"], [1])


@pytest.mark.parametrize("moment", ["kill_before", "kill_after"])
def test_run_that_dies_at_any_commit_leaves_each_record_once(pump_database: PumpDatabase, moment: str) -> None:
    customer = Customer(pump_database, [listed("lines")])
    paths: Sequence[Any] = ["id", ["of", "no"]]
    customer.run(FLAT)

    for number in range(1, 12, stride(3)):
        customer.know_by(paths[number % 2])
        outcome = customer.run(FLAT, kill={moment: number})

        assert ids(outcome) == (BY_NUMBER if number % 2 else BY_ID)
        assert (keys(customer), outcome.run["status"]) == ([1], "completed")


def test_runs_with_other_args_replace_what_they_see_and_no_more(pump_database: PumpDatabase) -> None:
    item = listed("lines", loop_on="args.of", query={"parent": "{{args.of}}"})
    customer = Customer(pump_database, [item])
    parts: Lists = {"lines": {"x": LINES[:2], "y": LINES[2:]}}
    customer.run(parts, args={"of": ["x"]})
    customer.run(parts, args={"of": ["y"]})
    customer.know_by(["of", "no"])

    first = customer.run(parts, args={"of": ["x"]})
    held = keys(customer)
    second = customer.run(parts, args={"of": ["y"]})

    assert ids(first) == sorted([*BY_NUMBER[:2], *BY_ID[2:]])
    assert (ids(second), held, keys(customer)) == (BY_NUMBER, [2], [1])


def test_other_jobs_records_stay_until_that_job_replaces_them(pump_database: PumpDatabase) -> None:
    item = listed("lines", query={"parent": "x"})
    customer = Customer(pump_database, [item])
    other = customer.new_job([listed("lines", query={"parent": "y"})])
    parts: Lists = {"lines": {"x": LINES[:2], "y": LINES[2:]}}
    customer.run(parts)
    customer.run(parts, job_id=other)
    customer.know_by(["of", "no"])

    first = customer.run(parts)
    second = customer.run(parts, job_id=other)

    assert ids(first) == sorted([*BY_NUMBER[:2], *BY_ID[2:]])
    assert (ids(second), keys(customer)) == (BY_NUMBER, [1, 1])


def test_webhook_is_told_of_former_ids_as_deleted(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, [listed("lines")], to_webhook=True)
    customer.run(FLAT)
    customer.know_by(["of", "no"])

    customer.run(FLAT)

    assert customer.told() == {**dict.fromkeys(BY_NUMBER, "created"), **dict.fromkeys(BY_ID, "deleted")}
    customer.run(FLAT)
    assert customer.told() == {}


def test_change_of_a_key_is_told_when_it_is_saved(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, [listed("lines")])
    before = customer.know_by("no")
    customer.run(FLAT)

    (warning,) = customer.know_by(["of", "no"])

    assert before == []
    assert (warning["code"], warning["resource"], warning["accounts"]) == ("key_changed", "lines", 1)
    assert "'no'" in warning["message"]
    assert customer.know_by(["of", "no"]) == []
