"""What an upstream tells as deleted is found under the id that its record is kept by, however that is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.engine.json_types import JsonObject
from tests.support.customer import Customer, Lists
from tests.support.pump_database import Outcome, PumpDatabase
from tests.support.workspace import child_of, listed

pytestmark = pytest.mark.timeout(180)

ORDERS = [{"id": "o1"}, {"id": "o2"}]
LINES: Mapping[str | None, Sequence[JsonObject]] = {
    "o1": [{"id": 1, "part": "a"}, {"id": 2, "part": "a"}],
    "o2": [{"id": 1, "part": "a"}, {"id": 2, "part": "a"}],
}
GONE = {"id": 1, "part": "a", "gone": True}
SINCE = {"since": "{{previous_run_date:undefined}}"}
CHILD = child_of("orders", "lines", deleted_when="gone")
INCLUDING = {**CHILD, "include_from_parent": ["id"]}
BY_TWO: JsonObject = {"resources": {"lines": {"list": {"id_path": ["part", "id"]}}}}


@dataclass(frozen=True, kw_only=True)
class Way:
    """A job whose lines have the same ids under both orders, and under which id the one is kept that is gone."""

    name: str
    resources: Sequence[JsonObject]
    gone: str
    others: Sequence[str]
    resource: str = "lines"
    config: JsonObject = field(default_factory=dict)
    lines: Mapping[str | None, Sequence[JsonObject]] = field(default_factory=lambda: LINES)
    stub: JsonObject = field(default_factory=lambda: GONE)

    @property
    def before(self) -> Lists:
        return {"orders": {None: ORDERS}, "lines": self.lines}

    @property
    def after(self) -> Lists:
        """List what tells that the first line of the last list is gone."""
        *_, (last, lines) = self.lines.items()
        return {"orders": {None: ORDERS}, "lines": {**self.lines, last: [self.stub, *lines[1:]]}}


def made(of: str) -> JsonObject:
    return {
        "type": "transform",
        "name": f"{of}-made",
        "resource": "made",
        "depends_on": of,
        "persist": True,
        "config": {"expression": "records.{'id': id, 'is_old': gone = true}"},
        "deleted_when": "is_old",
    }


FLAT = [{"order": order, **line} for order, lines in LINES.items() for line in lines]
OF_ORDERS = ['["o1",1]', '["o1",2]', '["o2",2]']
WAYS = (
    Way(
        name="id-path-list",
        resources=[listed("lines", deleted_when="gone")],
        config={"resources": {"lines": {"list": {"id_path": ["order", "id"]}}}},
        lines={None: FLAT[2:] + FLAT[:2]},
        stub={**GONE, "order": "o2"},
        gone='["o2",1]',
        others=OF_ORDERS,
    ),
    Way(name="include-from-parent", resources=[listed("orders"), INCLUDING], gone='["o2",1]', others=OF_ORDERS),
    Way(
        name="include-from-parent-told-by-a-parents-field",
        resources=[listed("orders"), {**INCLUDING, "deleted_when": "gone and _orders_id = 'o2'"}],
        gone='["o2",1]',
        others=OF_ORDERS,
    ),
    Way(
        name="id-path-list-and-include-from-parent",
        resources=[listed("orders"), INCLUDING],
        config=BY_TWO,
        gone='["o2","a",1]',
        others=['["o1","a",1]', '["o1","a",2]', '["o2","a",2]'],
    ),
    Way(
        name="increment",
        resources=[listed("orders"), {**INCLUDING, "query": {**INCLUDING["query"], **SINCE}}],
        gone='["o2",1]',
        others=OF_ORDERS,
    ),
    Way(
        name="transform",
        resources=[listed("orders"), {**INCLUDING, "persist": False, "deleted_when": None}, made("lines")],
        resource="made",
        gone='["o2",1]',
        others=OF_ORDERS,
    ),
)
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)


def ids(outcome: Outcome, resource: str = "lines") -> list[str]:
    return sorted(id for name, id in outcome.records if name == resource)


def books(outcome: Outcome, resource: str = "lines") -> dict[str, int]:
    names = ("created", "updated", "unchanged", "repeated", "deleted", "tombstones")
    (row,) = [row for row in outcome.resources if row["name"] in (resource, f"lines-{resource}")]
    return {name: row[name] for name in names if row[name]}


@every_way
def test_tombstone_is_made_of_the_one_record(pump_database: PumpDatabase, way: Way) -> None:
    customer = Customer(pump_database, way.resources, way.config)
    customer.run(way.before)

    outcome = customer.run(way.after)

    assert (ids(outcome, way.resource), customer.tombstones(way.resource)) == (sorted(way.others), {way.gone})
    assert books(outcome, way.resource) == {"unchanged": 3, "deleted": 1, "tombstones": 1}
    assert (outcome.errors, customer.warnings()) == ([], {})


@every_way
def test_webhook_that_wants_changes_is_told_of_the_one_record(pump_database: PumpDatabase, way: Way) -> None:
    customer = Customer(pump_database, way.resources, way.config, to_webhook=True)
    customer.run(way.before)

    customer.run(way.after)
    first = customer.told()
    customer.run(way.after)

    assert (first, customer.told()) == ({way.gone: "deleted"}, {})


@every_way
def test_webhook_that_gets_everything_is_told_of_the_one_record(pump_database: PumpDatabase, way: Way) -> None:
    customer = Customer(pump_database, way.resources, way.config, to_webhook=True, webhook={})

    customer.run(way.after)

    told = customer.told()
    assert {told[id] for id in way.others} == {"sent"}
    assert told[way.gone] == "deleted"


@pytest.mark.parametrize("to_webhook", [False, True])
def test_deletion_that_lacks_a_part_of_its_id_is_warned_of(pump_database: PumpDatabase, *, to_webhook: bool) -> None:
    customer = Customer(pump_database, [listed("orders"), INCLUDING], BY_TWO, to_webhook=to_webhook)
    customer.run({"orders": {None: ORDERS}, "lines": LINES})

    customer.run({"orders": {None: ORDERS}, "lines": {**LINES, "o2": [*LINES["o2"], {"id": 1, "gone": True}]}})

    assert (customer.warnings(), customer.tombstones()) == ({"no_id": 1}, set())
    assert "'part' is missing" in customer.shown_warnings()["no_id"]["message"]


def test_collisions_are_counted_beside_deletions_that_take_records_away(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, [listed("orders"), CHILD])
    lines = {"o1": [{"id": 3}, {**GONE, "id": 3}, {"id": 1, "of": 1}], "o2": [{"id": 1, "of": 2}]}

    outcome = customer.run({"orders": {None: ORDERS}, "lines": lines})

    assert (ids(outcome), customer.warnings()) == (["1"], {"id_collision": 1})


def line(number: int, **more: Any) -> JsonObject:
    return {"id": f"n{number}", "no": number, "of": "x", **more}


KNOWN = [line(number) for number in range(1, 4)]
TOLD = [line(1, gone=True), *KNOWN[1:]]
BY_ID, BY_NUMBER = ["n1", "n2", "n3"], ['["x",1]', '["x",2]', '["x",3]']


@pytest.mark.parametrize(
    ("fields", "has_others"),
    [({}, False), ({"delete_tracking": "soft"}, False), ({}, True)],
    ids=["alone", "tracked", "beside another job"],
)
def test_run_that_replaces_former_ids_leaves_nothing_of_what_it_is_told_as_deleted(
    pump_database: PumpDatabase, *, fields: JsonObject, has_others: bool
) -> None:
    item = listed("lines", deleted_when="gone", query={"parent": "x"}, **fields)
    customer = Customer(pump_database, [item])
    others = customer.new_job([listed("lines", query={"parent": "y"})]) if has_others else None
    customer.run({"lines": {"x": KNOWN}})
    if others:
        customer.run({"lines": {"y": [line(9)]}}, job_id=others)
    customer.know_by(["of", "no"])

    outcome = customer.run({"lines": {"x": TOLD}})

    left = ["n9"] if has_others else []
    assert (ids(outcome), outcome.errors) == ([*BY_NUMBER[1:], *left], [])
    assert customer.tombstones() == set(BY_ID)
    assert customer.warnings()["rekeyed"] == 3


def test_webhook_is_told_of_the_former_id_of_what_is_deleted(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, [listed("lines", deleted_when="gone")], to_webhook=True)
    customer.run({"lines": {None: KNOWN}})
    customer.know_by(["of", "no"])

    customer.run({"lines": {None: TOLD}})

    assert customer.told() == {**dict.fromkeys(BY_NUMBER[1:], "created"), **dict.fromkeys(BY_ID, "deleted")}


def test_increment_leaves_what_is_held_under_a_former_id_to_the_run_that_replaces_it(
    pump_database: PumpDatabase,
) -> None:
    customer = Customer(pump_database, [listed("lines", deleted_when="gone", query=SINCE)])
    customer.run({"lines": {None: KNOWN}})
    customer.know_by(["of", "no"])

    increment = customer.run({"lines": {None: TOLD[:1]}})
    warned = customer.warnings()
    whole = customer.run({"lines": {None: KNOWN[1:]}}, ignore_previous_run=True)

    assert (ids(increment), warned) == (BY_ID, {"former_key": 1})
    assert (ids(whole), customer.tombstones()) == (BY_NUMBER[1:], set(BY_ID))
