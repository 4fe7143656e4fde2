"""What is odd about the ids of pages goes with their write; fields of parents go into their records."""

from typing import Any

import pytest

from app.engine.jobs.item_keys import Rekeying
from app.engine.json_types import JsonObject
from app.engine.records.keys import BY_ID, RecordKey
from app.engine.runs.frontier import Frontier
from app.engine.runs.work import PageWrite
from app.services.units.page_batch import PageBatch
from tests.unit.services.service_fakes import page
from tests.unit.services.service_setting import Setting, setting
from tests.unit.services.service_tables import CONFIG, integration

ORDERS = {"resource": "orders"}
LINES = {"resource": "lines", "depends_on": "orders", "include_from_parent": ["id"]}
OF_ONE: JsonObject = {"parents": {"orders": {"id": "o1"}}}
OF_TWO: JsonObject = {"parents": {"orders": {"id": "o2"}}}
DONE = Frontier(next=1)


def batch_of(here: Setting, name: str) -> PageBatch:
    here.add_unit(resource=name)
    context = here.context()
    return PageBatch(here.claim("unit"), context, context.items[name], settings=here.settings, clock=here.clock)


def written(
    items: list[JsonObject], name: str, pages: list[tuple[JsonObject, Any]], config: JsonObject | None = None
) -> PageWrite:
    here = setting(items)
    here.integrations.rows["integration"] = integration(config=config or CONFIG)
    batch = batch_of(here, name)
    for element, one in pages:
        batch.add_page(element, one)
    return batch.build_write(DONE)


def test_records_have_their_parents_fields_and_ids() -> None:
    write = written([ORDERS, LINES], "lines", [(OF_ONE, page({"id": 1})), (OF_TWO, page({"id": 1}, "text"))])

    assert write.records.ids == ['["o1",1]', '["o2",1]', '["o2","text"]']
    assert (write.warnings, write.collision is None) == ([], False)


def test_record_whose_parent_lacks_the_field_is_known_by_its_content() -> None:
    write = written([ORDERS, LINES], "lines", [({"parents": {"orders": {}}}, page({"id": 1}))])

    assert write.records.ids[0].startswith("content:")
    assert [(warning.code, warning.count) for warning in write.warnings] == [("no_id", 1)]


def test_children_and_transforms_get_the_fields_that_their_parents_records_have() -> None:
    transform = {
        "type": "transform",
        "name": "made",
        "depends_on": "lines",
        "config": {"expression": "records"},
        "persist": True,
    }
    taxes = {"resource": "taxes", "depends_on": "lines", "include_from_parent": {"line": "id"}}
    items: list[JsonObject] = [ORDERS, {**LINES, "persist": False}, transform, taxes]
    write = written(items, "lines", [(OF_ONE, page({"id": 1}))])

    elements = {unit.resource_id: unit.elements for unit in write.children}

    assert elements["id-of-taxes"] == [{"parents": {"orders": {"id": "o1"}, "lines": {"_orders_id": "o1", "id": 1}}}]
    assert elements["id-of-made"][0]["included"] == {"_orders_id": "o1"}
    made = written(items, "made", [(elements["id-of-made"][0], page({"id": 1, "x": 2}))])
    assert [row.data for row in made.records.rows(made.records.ids)] == [b'{"_orders_id":"o1","id":1,"x":2}']


@pytest.mark.parametrize("elements", [(OF_ONE, OF_TWO), (OF_ONE, OF_ONE)], ids=["two parents", "one parent"])
def test_other_content_under_one_id_is_warned_of_where_it_is_of_another_parent(
    elements: tuple[JsonObject, JsonObject],
) -> None:
    items: list[JsonObject] = [ORDERS, {**LINES, "include_from_parent": None}]
    pages = [(elements[0], page({"id": 1, "a": 1})), (elements[1], page({"id": 1, "a": 2}))]

    write = written(items, "lines", pages)

    expected = [("id_collision", 1)] if elements[0] is not elements[1] else []
    assert [(warning.code, warning.count) for warning in write.warnings] == expected


def test_single_list_can_not_collide_nor_can_records_by_content() -> None:
    config = {"base_url": "https://up.test", "resources": {"lines": {"list": {"id_path": []}}}}

    assert written([ORDERS], "orders", [({}, page({"id": 1}))]).collision is None
    assert written([ORDERS, LINES], "lines", [(OF_ONE, page({"a": 1}))], config=config).collision is None


def test_rekeying_run_keeps_former_ids_beside_its_own() -> None:
    here = setting([ORDERS])
    by_number = RecordKey(paths=(("no",),))
    here.rekeyings = {"orders": Rekeying(key=BY_ID, former=(by_number,)).to_json()}
    batch = batch_of(here, "orders")
    batch.add_page({}, page({"id": 1, "no": "a"}, {"id": 2, "no": "a"}))

    write = batch.build_write(DONE)

    assert (write.tracks_deletes, write.records.ids, write.former_ids) == (True, ["1", "2"], ["a"])
