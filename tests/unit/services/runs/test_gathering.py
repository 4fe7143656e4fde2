"""Transforms and spools: where their batches come from, and when a spool gives on what it has gathered."""

from dataclasses import replace

import pytest

from app.engine.runs.books import Counters
from app.engine.runs.frontier import Frontier
from app.engine.runs.settling import Progress, ResourceState
from app.engine.status import ResourceStatus
from app.services.runs import gathering
from app.services.units.batch_source import BatchSource
from app.services.units.page_batch import PageBatch
from tests.unit.services.service_fakes import page
from tests.unit.services.service_setting import Setting, setting

SPOOL = {"type": "spool", "persist": False, "name": "all", "depends_on": "tickets"}
SUM = {
    "type": "transform",
    "persist": False,
    "name": "sum",
    "depends_on": "all",
    "config": {"expression": "{'id': 'sum', 'count': $count(records)}"},
}
DOUBLED = {
    "type": "transform",
    "persist": False,
    "name": "twice",
    "depends_on": "tickets",
    "config": {"expression": "[records, records]"},
}


def here() -> Setting:
    return setting([{"resource": "tickets"}, SPOOL, SUM, DOUBLED])


class Spools:
    """Closes each spool once."""

    def __init__(self) -> None:
        self.closed: list[str] = []

    def close_spool(self, resource_id: str) -> str | None:
        if resource_id in self.closed:
            return None
        self.closed.append(resource_id)
        return f"unit-of-{resource_id}"


def state(name: str, *, parent: str | None = None, live: int = 0) -> ResourceState:
    return ResourceState(
        id=f"id-of-{name}",
        name=name,
        resource="tickets",
        method="list",
        parent_name=parent,
        persist=False,
        status=ResourceStatus.RUNNING,
        started_at=None,
        counters=Counters(),
        live_units=live,
        parked_units=0,
    )


def progress(*, live: int) -> Progress:
    return Progress([state("tickets", live=live), state("all", parent="tickets"), state("sum", parent="all")], 0)


def test_a_page_is_gathered_by_a_spool_and_becomes_a_unit_of_each_transform() -> None:
    world = here()
    world.add_unit()
    context = world.context()
    batch = PageBatch(
        world.claim("unit"), context, context.items["tickets"], settings=world.settings, clock=world.clock
    )

    batch.add_page({}, page({"id": 1}, {"id": 2}))
    batch.add_page({}, page())
    write = batch.to_write(Frontier(next=1))

    assert [(one.resource_id, one.records) for one in write.gathered] == [("id-of-all", b'[{"id":1},{"id":2}]')]
    assert [(unit.resource_id, unit.elements) for unit in write.children] == [
        ("id-of-twice", [{"parents": {}, "records": [{"id": 1}, {"id": 2}]}])
    ]


def test_a_spool_is_closed_once_its_parent_has_ended() -> None:
    run, spools = here().runs.load("run"), Spools()
    assert run is not None

    early, early_rings = gathering.close_spools(spools, run, progress(live=1))
    closed, wake_ups = gathering.close_spools(spools, run, progress(live=0))
    again, no_rings = gathering.close_spools(spools, run, progress(live=0))

    assert (early_rings, [dispatch.unit_id for dispatch in wake_ups], no_rings) == ([], ["unit-of-id-of-all"], [])
    assert [resource.live_units for resource in closed.resources] == [0, 1, 0]
    assert early.resources[1].live_units == again.resources[1].live_units == 0


def test_a_run_without_spools_is_settled_as_it_stands() -> None:
    run = setting([{"resource": "tickets"}]).runs.load("run")
    assert run is not None
    stands = progress(live=0)

    assert gathering.close_spools(Spools(), run, stands) == (stands, [])


def test_what_a_spool_has_gathered_is_its_only_page() -> None:
    world = here()
    world.spools.gathered["closed"] = [{"id": 1}]
    context = world.context()

    found = BatchSource(world.spools, spool_bytes=5).submit(context, context.items["all"], {"spool": "closed"})

    assert (found.result().records, found.result().next_cursor) == ([{"id": 1}], None)


def test_what_goes_wrong_is_in_the_future() -> None:
    world = here()
    world.spools.gathered["closed"] = [{"id": 1}, {"id": 2}]
    context = world.context()

    found = BatchSource(world.spools, spool_bytes=1).submit(context, context.items["all"], {"spool": "closed"})

    assert getattr(found.exception(), "code", None) == "spool"


def test_a_request_has_no_batch() -> None:
    world = here()
    context = world.context()

    with pytest.raises(ValueError, match="asks the upstream"):
        BatchSource(world.spools, spool_bytes=1).submit(context, context.items["tickets"], {})


def test_a_unit_of_a_transform_is_worked_on_without_a_request() -> None:
    world = here()
    world.add_unit({"parents": {}, "records": [{"id": 1}]}, resource="twice")

    world.fetch()

    (write,) = world.pages.writes
    assert (write.counters.fetched, world.journal.count("submit")) == (2, 0)


def test_the_end_of_a_spool_forgets_what_it_gave_on() -> None:
    world = here()
    world.spools.gathered["closed"] = [{"id": 1}]
    world.add_unit({"spool": "closed"}, resource="all")

    world.fetch()

    (write,) = world.pages.writes
    assert (write.given_on, [unit.resource_id for unit in write.children]) == (["closed"], ["id-of-sum"])


def test_ended_resources_are_not_ended_again() -> None:
    run, spools = here().runs.load("run"), Spools()
    assert run is not None
    ended = replace(progress(live=0).resources[1], status=ResourceStatus.COMPLETED)

    _, wake_ups = gathering.close_spools(spools, run, Progress([state("tickets"), ended], 0))

    assert wake_ups == []
