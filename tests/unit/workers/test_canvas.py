from collections.abc import Iterator
from typing import Any

import pytest
from celery.canvas import Signature, _chain, group

from app.broker import tasks
from app.engine.ids import read_time
from app.engine.json_types import JsonObject
from app.services.runs.start import RunStart
from tests.unit.services.service_fakes import page
from tests.unit.services.service_setting import setting
from workers import canvas

TREE: list[JsonObject] = [
    {"resource": "users", "method": "list"},
    {"resource": "teams", "method": "list"},
    {"resource": "members", "method": "list", "depends_on": "teams"},
    {"resource": "rooms", "method": "list", "depends_on": "teams"},
    {"resource": "badges", "method": "list", "depends_on": "members"},
]


def run_start(resources: list[JsonObject], **options: Any) -> RunStart:
    context = setting(resources, run_fields={"daemon_group_key": "eu"}).context()
    return RunStart(context=context, **{"has_work": True, **options})


def leaves(signature: Signature) -> Iterator[Signature]:
    """Walk to the signatures that become messages."""
    match signature:
        case _chain() | group():
            for part in signature.tasks:
                yield from leaves(part)
        case _:
            yield signature


def test_every_signature_carries_its_queue() -> None:
    found = list(leaves(canvas.build(run_start(TREE))))

    assert len(found) == len(TREE)
    assert {signature.options["queue"] for signature in found} == {"daemon-group.eu"}


def test_every_resource_is_rung_once_by_ids_alone() -> None:
    found = list(leaves(canvas.build(run_start(TREE))))

    assert {signature.task for signature in found} == {tasks.SYNC_RESOURCE}
    assert sorted(signature.args for signature in found) == sorted(
        ("run", f"id-of-{item['resource']}") for item in TREE
    )
    assert all(signature.immutable and not signature.kwargs for signature in found)


def test_parent_comes_before_its_children() -> None:
    (branch,) = (part for part in canvas.build(run_start(TREE)).tasks if isinstance(part, _chain))

    parent, children = branch.tasks
    assert parent.args == ("run", "id-of-teams")
    assert {signature.args[1] for signature in leaves(children)} == {"id-of-members", "id-of-rooms", "id-of-badges"}


@pytest.mark.parametrize("depth", [1, 2, 12, 60])
def test_deep_trees_keep_their_queue(depth: int) -> None:
    chain: list[JsonObject] = [{"resource": "r0", "method": "list"}]
    chain += [{"resource": f"r{n}", "method": "list", "depends_on": f"r{n - 1}"} for n in range(1, depth)]

    found = list(leaves(canvas.build(run_start(chain))))

    assert [signature.options["queue"] for signature in found] == ["daemon-group.eu"] * depth


def test_webhook_run_rings_its_delivery_unit_alone() -> None:
    found = canvas.build(run_start(TREE, delivery_unit_id="unit-1"))

    assert (found.task, found.args, found.options["queue"]) == (tasks.SYNC_UNIT, ("run", "unit-1"), "daemon-group.eu")
    assert read_time(found.options["task_id"]) is not None


def test_the_first_slice_of_a_lone_resource_needs_no_message() -> None:
    here = setting(TREE[:1])
    here.source.script(page({"id": 1}))
    start = here.lifecycle().start("run")
    assert start is not None

    assert canvas.set_off(start, here.worker())

    assert here.pages.record_ids == ["1"]
    assert here.dispatcher.unit_ids == []


@pytest.mark.parametrize("has_work", [True, False])
def test_other_runs_are_published(monkeypatch: pytest.MonkeyPatch, *, has_work: bool) -> None:
    published: list[Signature] = []

    def publish(canvas: Signature) -> None:
        published.append(canvas)

    monkeypatch.setattr(group, "apply_async", publish)

    may_settle = canvas.set_off(run_start(TREE, has_work=has_work), setting().worker())

    assert (len(published), may_settle) == (1, not has_work)


def test_a_run_has_an_only_resource_unless_it_asks_its_receiver() -> None:
    assert run_start(TREE[:1]).only_resource_id == "id-of-users"
    assert run_start(TREE).only_resource_id is None
    assert run_start(TREE[:1], delivery_unit_id="unit-1").only_resource_id is None
