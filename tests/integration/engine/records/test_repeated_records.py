"""`persisted` counts the rows that a run has written, however often their records come."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from app.engine.json_types import JsonObject
from tests.support.customer import Customer, Lists
from tests.support.pump_database import PumpDatabase
from tests.support.workspace import child_of, listed

pytestmark = pytest.mark.timeout(180)

USERS = [{"id": number, "name": f"user {number}"} for number in range(7)]
OWNERS = [{"id": f"o{number}"} for number in range(6)]


@dataclass(frozen=True, kw_only=True)
class Repeating:
    """An upstream that gives records more than once, in pages of two."""

    name: str
    resources: Sequence[JsonObject]
    api: Lists
    resource: str
    fetched: int
    rows: int


WAYS = (
    Repeating(
        name="a cursor that goes back",
        resources=[listed("users")],
        api={"users": {None: [*USERS[:5], *USERS[2:]]}},
        resource="users",
        fetched=10,
        rows=7,
    ),
    Repeating(
        name="a record that changes meanwhile",
        resources=[listed("users")],
        api={"users": {None: [*USERS, {**USERS[0], "name": "other"}]}},
        resource="users",
        fetched=8,
        rows=7,
    ),
    Repeating(
        name="twice in one page",
        resources=[listed("users")],
        api={"users": {None: [USERS[0], USERS[0], USERS[1], USERS[2]]}},
        resource="users",
        fetched=4,
        rows=3,
    ),
    Repeating(
        name="ids that collide",
        resources=[listed("owners"), child_of("owners", "lines")],
        api={
            "owners": {None: OWNERS},
            "lines": {owner["id"]: [{"id": n, "of": owner["id"]} for n in range(3)] for owner in OWNERS},
        },
        resource="lines",
        fetched=18,
        rows=3,
    ),
    Repeating(
        name="children of several parents",
        resources=[listed("owners"), child_of("owners", "tags")],
        api={"owners": {None: OWNERS}, "tags": {owner["id"]: [{"id": "a"}, {"id": "b"}] for owner in OWNERS}},
        resource="tags",
        fetched=12,
        rows=2,
    ),
)


def stats_of(customer: Customer, resource: str) -> JsonObject:
    run = customer.services().runs.get(customer.environment, customer.run_id)
    stats: JsonObject = run.resource_stats[resource]
    return stats


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
@pytest.mark.parametrize("most", [0, 200], ids=["large pages", "small pages"])
def test_a_run_has_persisted_as_many_records_as_it_has_written_rows(
    pump_database: PumpDatabase, monkeypatch: pytest.MonkeyPatch, way: Repeating, most: int
) -> None:
    monkeypatch.setattr("app.store.units.small_pages._MOST_RECORDS", most)
    customer = Customer(pump_database, way.resources, limits={"children_per_unit": 1})

    outcome = customer.run(way.api)

    stats = stats_of(customer, way.resource)["list"]
    assert len([name for name, _ in outcome.records if name == way.resource]) == way.rows
    assert {name: stats[name] for name in ("fetched", "persisted", "created", "repeated")} == {
        "fetched": way.fetched,
        "persisted": way.rows,
        "created": way.rows,
        "repeated": way.fetched - way.rows,
    }


def test_a_run_that_finds_all_as_it_is_has_persisted_nothing(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, [listed("users")])
    customer.run({"users": {None: USERS}})

    customer.run({"users": {None: [*USERS[:6], {**USERS[6], "name": "other"}]}})

    stats = stats_of(customer, "users")["list"]
    assert [stats[name] for name in ("persisted", "unchanged", "updated", "repeated")] == [1, 6, 1, 0]


def test_each_of_several_items_that_keep_one_resource_counts_the_rows_that_it_wrote(
    pump_database: PumpDatabase,
) -> None:
    whole = {"resource": "users", "method": "get", "name": "whole", "depends_on": "users"}
    customer = Customer(pump_database, [listed("users"), {**whole, "persist": True, "id": "{{resources.users.id}}"}])
    brief = [{"id": "a"}, {"id": "b"}]

    customer.run({"users": {None: brief, "a": [{"id": "a", "all": 1}], "b": [{"id": "b", "all": 1}]}})

    brief_ones, whole_ones = stats_of(customer, "users")["list"], stats_of(customer, "whole")["get"]
    assert (brief_ones["persisted"], whole_ones["persisted"], whole_ones["repeated"]) == (2, 2, 0)
