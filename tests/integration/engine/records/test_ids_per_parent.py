"""Records whose ids are unique per parent only stay apart, on whatever way they come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.engine.json_types import JsonObject
from tests.support.customer import Customer, Lists
from tests.support.pump_database import PumpDatabase
from tests.support.workspace import child_of, listed

pytestmark = pytest.mark.timeout(180)

ORDERS = [{"id": "o1"}, {"id": "o2"}]
LINES: Mapping[str | None, Sequence[JsonObject]] = {
    "o1": [{"id": 1, "sku": "a"}, {"id": 2, "sku": "b"}, {"id": 3, "sku": "c"}],
    "o2": [{"id": 1, "sku": "d"}, {"id": 2, "sku": "e"}],
}
NUMBERED = {
    order: [{"order_id": order, "line_no": line["id"], "sku": line["sku"]} for line in lines]
    for order, lines in LINES.items()
}
SHOP: Lists = {"orders": {None: ORDERS}, "lines": LINES}
OF_ORDERS = ['["o1",1]', '["o1",2]', '["o1",3]', '["o2",1]', '["o2",2]']
INCLUDING = child_of("orders", "lines", include_from_parent=["id"])


@dataclass(frozen=True, kw_only=True)
class Way:
    """A job whose records have the same ids under several parents, and the ids that keep them apart."""

    name: str
    resources: Sequence[JsonObject]
    api: Lists
    ids: Sequence[str]
    config: JsonObject = field(default_factory=dict)
    args: JsonObject = field(default_factory=dict)
    resource: str = "lines"


def transform(of: str, expression: str = "records", **more: Any) -> JsonObject:
    name = more.pop("name", f"{of}-made")
    return {
        "type": "transform",
        "name": name,
        "depends_on": of,
        "persist": True,
        "config": {"expression": expression},
        **more,
    }


def spool(of: str) -> JsonObject:
    return {"type": "spool", "name": "all", "depends_on": of}


def unkept(item: JsonObject) -> JsonObject:
    return {**item, "persist": False}


TAXES: Mapping[str | None, Sequence[JsonObject]] = {
    f"o{order}-{line}": [{"id": "vat", "rate": order * 10 + line}] for order in (1, 2) for line in (1, 2, 3)
}
FOLDERS: Lists = {
    "drives": {None: [{"id": "d1"}, {"id": "d2"}]},
    "folders": {
        "d1": [{"id": "top", "open": True, "of": 1}],
        "d2": [{"id": "top", "open": True, "of": 2}],
        "top": [{"id": "sub", "open": False}],
    },
}
RECURSION = child_of(
    "drives",
    "folders",
    include_from_parent=["id"],
    recurse={
        "if": "{{resources.folders.open:bool}}",
        "config": {"query": {"parent": "{{resources.folders.id}}"}},
    },
)
BY_TWO: JsonObject = {"resources": {"lines": {"list": {"id_path": ["order_id", "line_no"]}}}}

WAYS = (
    Way(
        name="flat",
        resources=[listed("lines")],
        api={"lines": {None: [line for lines in NUMBERED.values() for line in lines]}},
        config=BY_TWO,
        ids=OF_ORDERS,
    ),
    Way(name="child", resources=[listed("orders"), INCLUDING], api=SHOP, ids=OF_ORDERS),
    Way(
        name="child-with-two-paths",
        resources=[listed("orders"), child_of("orders", "lines")],
        api={"orders": {None: ORDERS}, "lines": NUMBERED},
        config=BY_TWO,
        ids=OF_ORDERS,
    ),
    Way(
        name="grandchild",
        resources=[
            listed("orders"),
            INCLUDING,
            child_of(
                "lines",
                "taxes",
                include_from_parent={"line": "id"},
                query={"parent": "{{resources.orders.id}}-{{resources.lines.id}}"},
            ),
        ],
        api={**SHOP, "taxes": TAXES},
        resource="taxes",
        ids=[id.replace("]", ',"vat"]') for id in OF_ORDERS],
    ),
    Way(
        name="recursion",
        resources=[listed("drives"), RECURSION],
        api=FOLDERS,
        resource="folders",
        ids=['["d1","sub"]', '["d1","top"]', '["d2","sub"]', '["d2","top"]'],
    ),
    Way(
        name="loop",
        resources=[
            listed(
                "lines",
                loop_on="args.orders",
                query={"parent": "{{args.orders}}"},
                include_from_parent={"order_id": "{{args.orders}}"},
            )
        ],
        api={"lines": LINES},
        args={"orders": ["o1", "o2"]},
        ids=OF_ORDERS,
    ),
    Way(
        name="transform",
        resources=[listed("orders"), unkept(INCLUDING), transform("lines", "records.{'id': id, 'made': sku}")],
        api=SHOP,
        ids=OF_ORDERS,
    ),
    Way(
        name="spool",
        resources=[listed("orders"), unkept(INCLUDING), spool("lines"), transform("all", "records")],
        api=SHOP,
        ids=OF_ORDERS,
    ),
    Way(
        name="spool-of-sums",
        resources=[
            listed("orders"),
            unkept(INCLUDING),
            spool("lines"),
            transform("all", "{'id': 'sum', 'count': $count(records)}", resource="sums"),
        ],
        api=SHOP,
        resource="sums",
        ids=["sum"],
    ),
    Way(
        name="texts",
        resources=[listed("orders"), INCLUDING],
        api={"orders": {None: ORDERS}, "lines": {"o1": ["a", "b", "c"], "o2": ["a"]}},  # type: ignore[dict-item]
        ids=['["o1","a"]', '["o1","b"]', '["o1","c"]', '["o2","a"]'],
    ),
)
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)


def customer_of(database: PumpDatabase, way: Way, **more: Any) -> Customer:
    return Customer(database, way.resources, way.config, **more)


@every_way
def test_each_record_is_kept_under_an_id_of_its_own_and_found_unchanged_by_the_next_run(
    pump_database: PumpDatabase, way: Way
) -> None:
    customer = customer_of(pump_database, way)

    first = customer.run(way.api, args=way.args)
    warnings = customer.warnings()
    second = customer.run(way.api, args=way.args)

    assert sorted(id for resource, id in first.records if resource == way.resource) == sorted(way.ids)
    assert (first.errors, warnings, customer.warnings()) == ([], {}, {})
    assert second.records == first.records
    assert [books["created"] + books["updated"] for books in second.resources] == [0] * len(second.resources)


@every_way
def test_webhook_is_told_of_each_record_under_its_own_id_once(pump_database: PumpDatabase, way: Way) -> None:
    customer = customer_of(pump_database, way, to_webhook=True)

    customer.run(way.api, args=way.args)
    first, told_ids = customer.told(), [row["remote_id"] for row in told(customer, way.resource)]
    customer.run(way.api, args=way.args)

    assert set(way.ids) <= first.keys()
    assert (set(first.values()), customer.told()) == ({"created"}, {})
    assert sorted(told_ids) == sorted(way.ids)


@every_way
def test_webhook_that_gets_all_records_gets_the_ids_that_they_are_known_by(
    pump_database: PumpDatabase, way: Way
) -> None:
    customer = customer_of(pump_database, way, to_webhook=True, webhook={})

    customer.run(way.api, args=way.args)

    assert set(way.ids) <= customer.told().keys()
    assert customer.warnings() == {}


def told(customer: Customer, resource: str) -> list[JsonObject]:
    return customer.rows(
        "select remote_id from webhook_record where integrated_account_id = :account and resource = :resource",
        resource=resource,
    )


TRACKED = child_of("orders", "lines", include_from_parent=["id"], delete_tracking="soft")


def test_vanished_child_is_deleted_under_its_own_id(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, [listed("orders"), TRACKED])
    customer.run(SHOP)

    gone = customer.run({**SHOP, "lines": {**LINES, "o2": LINES["o2"][:1]}})

    assert customer.tombstones() == {'["o2",2]'}
    assert len([1 for resource, _ in gone.records if resource == "lines"]) == 4


def test_webhook_is_told_of_a_vanished_child_by_its_own_id(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, [listed("orders"), TRACKED], to_webhook=True)
    customer.run(SHOP)

    customer.run({**SHOP, "lines": {**LINES, "o2": LINES["o2"][:1]}})

    assert customer.told() == {'["o2",2]': "deleted"}


def test_child_has_the_fields_of_its_parents(pump_database: PumpDatabase) -> None:
    way = next(way for way in WAYS if way.name == "grandchild")
    outcome = customer_of(pump_database, way).run(way.api)

    assert outcome.records["lines", '["o2",1]'] == {"id": 1, "sku": "d", "_orders_id": "o2"}
    assert outcome.records["taxes", '["o2",1,"vat"]'] == {"id": "vat", "rate": 21, "_orders_id": "o2", "line": 1}


def test_field_of_the_record_that_is_replaced_is_warned_of(pump_database: PumpDatabase) -> None:
    customer = Customer(
        pump_database, [listed("orders"), child_of("orders", "lines", include_from_parent={"sku": "id"})]
    )

    customer.run(SHOP)

    assert customer.warnings() == {"replaced_field": 5}


COLLIDING = [listed("orders"), child_of("orders", "lines")]


@pytest.mark.parametrize("children_per_unit", [1, 100], ids=["across pages", "within a page"])
@pytest.mark.parametrize("most", [0, 200], ids=["large pages", "small pages"])
@pytest.mark.parametrize("to_webhook", [False, True], ids=["persisted", "changes only"])
def test_other_content_under_one_id_is_counted_and_warned_of(
    pump_database: PumpDatabase, monkeypatch: pytest.MonkeyPatch, children_per_unit: int, most: int, to_webhook: bool
) -> None:
    monkeypatch.setattr("app.store.units.small_pages._MOST_RECORDS", most)
    limits = {"children_per_unit": children_per_unit}
    customer = Customer(pump_database, COLLIDING, to_webhook=to_webhook, limits=limits)

    customer.run(SHOP)

    assert customer.warnings() == {"id_collision": 2}
    assert "include_from_parent" in customer.shown_warnings()["id_collision"]["message"]


@pytest.mark.parametrize(
    "resources",
    [COLLIDING, [listed("lines"), {"resource": "lines", "method": "get", "name": "whole", "depends_on": "lines"}]],
    ids=["children", "list and get"],
)
def test_same_content_under_one_id_and_writers_of_one_resource_are_no_collision(
    pump_database: PumpDatabase, resources: Sequence[JsonObject]
) -> None:
    same = [{"id": 1, "sku": "a"}]
    whole = {**resources[1], "persist": True, "id": "{{resources.lines.id}}"} if len(resources[1]) == 4 else None
    customer = Customer(pump_database, [resources[0], whole] if whole else resources)

    customer.run({"orders": {None: ORDERS}, "lines": {None: same, "1": [{"id": 1, "all": 1}], "o1": same, "o2": same}})

    assert customer.warnings() == {}


NAMELESS = [{"_id": "a", "name": "A"}, {"_id": "b", "name": "B"}, {"_id": "c", "name": "C"}]


def test_records_without_an_id_are_warned_of_with_the_fields_that_look_like_one(pump_database: PumpDatabase) -> None:
    customer = Customer(pump_database, [listed("users")])

    outcome = customer.run({"users": {None: NAMELESS}})

    assert (outcome.errors, len(outcome.records), customer.warnings()) == ([], 3, {"no_id": 3})
    assert "'_id'" in customer.shown_warnings()["no_id"]["message"]


@pytest.mark.parametrize("to_webhook", [False, True])
def test_id_path_that_matches_nothing_on_the_first_page_is_an_error_once_and_loses_no_record(
    pump_database: PumpDatabase, *, to_webhook: bool
) -> None:
    config = {"resources": {"users": {"list": {"id_path": "uuid"}}}}
    customer = Customer(pump_database, [listed("users")], config, to_webhook=to_webhook, webhook={})

    outcome = customer.run({"users": {None: NAMELESS}})

    (error,) = outcome.errors
    assert (error["code"], "'uuid' is missing" in error["message"], "'_id'" in error["message"]) == (
        "id_path",
        True,
        True,
    )
    assert (outcome.run["status"], outcome.resources[0]["fetched"]) == ("completed", 3)
    assert len(outcome.records) == (0 if to_webhook else 3)


@pytest.mark.parametrize(
    ("value", "found"),
    [({"a": 1}, "an object"), ([1], "an array"), (True, "a boolean"), (None, "null"), ("", "empty")],
)
def test_value_that_can_be_no_id_is_told(pump_database: PumpDatabase, value: object, found: str) -> None:
    customer = Customer(pump_database, [listed("users")])

    customer.run({"users": {None: [{"id": value, "n": 1}, {"id": "x"}]}})

    assert customer.warnings() == {"no_id": 1}
    assert f"'id' is {found}" in customer.shown_warnings()["no_id"]["message"]


def test_list_that_is_declared_to_have_no_ids_is_not_warned_of(pump_database: PumpDatabase) -> None:
    config = {"resources": {"users": {"list": {"id_path": []}}}}
    customer = Customer(pump_database, [listed("users")], config)

    outcome = customer.run({"users": {None: NAMELESS}})

    assert (outcome.errors, len(outcome.records), customer.warnings()) == ([], 3, {})
