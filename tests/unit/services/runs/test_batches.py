"""Transforms and spools: where their batches come from, and when a spool passes on what it has gathered."""

from dataclasses import replace

import pytest

from app.engine.runs.books import Counters
from app.engine.runs.frontier import Frontier
from app.engine.runs.settling import Progress, ResourceState
from app.engine.status import ResourceStatus
from app.services.runs.settlement import Settlement
from app.services.units.page_batch import PageBatch
from app.services.units.slices import submit_batch
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


def settlement(world: Setting) -> Settlement:
    locked = world.moves.lock("run")
    assert locked.run is not None
    return Settlement(run=locked.run, locked=locked, clock=world.clock, settings=world.settings)


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
    write = batch.build_write(Frontier(next=1))

    assert [(one.resource_id, one.records) for one in write.gathered] == [("id-of-all", b'[{"id":1},{"id":2}]')]
    assert [(unit.resource_id, unit.elements) for unit in write.children] == [
        ("id-of-twice", [{"parents": {}, "records": [{"id": 1}, {"id": 2}]}])
    ]


def test_a_spool_is_closed_once_its_parent_has_ended() -> None:
    world = here()
    first, second, third = settlement(world), settlement(world), settlement(world)

    early = first.close_spools(progress(live=1))
    closed = second.close_spools(progress(live=0))
    again = third.close_spools(progress(live=0))

    assert [wake_up.unit_id for wake_up in second.wake_ups] == ["unit-of-id-of-all"]
    assert first.wake_ups == third.wake_ups == []
    assert [resource.live_units for resource in closed.resources] == [0, 1, 0]
    assert early.resources[1].live_units == again.resources[1].live_units == 0


def test_a_run_without_spools_is_settled_as_it_stands() -> None:
    settled, stands = settlement(setting([{"resource": "tickets"}])), progress(live=0)

    assert settled.close_spools(stands) is stands
    assert settled.wake_ups == []


def test_what_a_spool_has_gathered_is_its_only_page() -> None:
    world = here()
    world.spools.gathered["closed"] = [{"id": 1}]
    context = world.context()

    found = submit_batch(context, context.items["all"], {"spool": "closed"}, world.spools.reader(limit_bytes=5))

    assert (found.result().records, found.result().next_cursor) == ([{"id": 1}], None)


def test_what_goes_wrong_is_in_the_future() -> None:
    world = here()
    world.spools.gathered["closed"] = [{"id": 1}, {"id": 2}]
    context = world.context()

    found = submit_batch(context, context.items["all"], {"spool": "closed"}, world.spools.reader(limit_bytes=1))

    assert getattr(found.exception(), "code", None) == "spool"


def test_a_request_has_no_batch() -> None:
    world = here()
    context = world.context()

    with pytest.raises(ValueError, match="asks the upstream"):
        submit_batch(context, context.items["tickets"], {}, world.spools.reader(limit_bytes=1))


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
    settled = settlement(here())
    ended = replace(progress(live=0).resources[1], status=ResourceStatus.COMPLETED)

    settled.close_spools(Progress([state("tickets"), ended], 0))

    assert settled.wake_ups == []
