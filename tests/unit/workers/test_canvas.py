from collections.abc import Iterator
from typing import Any

import pytest
from celery.canvas import Signature, _chain, group

from app.broker import tasks
from app.engine.ids import read_time
from app.engine.jobs import definition, planning
from app.engine.json_types import JsonObject
from app.services.runs.lifecycle import RunStart
from workers import canvas

TREE: list[JsonObject] = [
    {"resource": "users", "method": "list"},
    {"resource": "teams", "method": "list"},
    {"resource": "members", "method": "list", "depends_on": "teams"},
    {"resource": "rooms", "method": "list", "depends_on": "teams"},
    {"resource": "badges", "method": "list", "depends_on": "members"},
]


def run_start(resources: list[JsonObject], **options: Any) -> RunStart:
    items, failures = definition.parse_resources(resources)
    assert not failures
    ids = {item.name: f"{item.name}-id" for item in items}
    given = {"queue": "daemon-group.eu", "delivery_unit_id": None, "has_work": True, **options}
    return RunStart(run_id="run-1", plan=planning.plan(items), resource_ids=ids, **given)


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
    assert sorted(signature.args for signature in found) == sorted(("run-1", f"{item['resource']}-id") for item in TREE)
    assert all(signature.immutable and not signature.kwargs for signature in found)


def test_parent_comes_before_its_children() -> None:
    (branch,) = (part for part in canvas.build(run_start(TREE)).tasks if isinstance(part, _chain))

    parent, children = branch.tasks
    assert parent.args == ("run-1", "teams-id")
    assert {signature.args[1] for signature in leaves(children)} == {"members-id", "rooms-id", "badges-id"}


@pytest.mark.parametrize("depth", [1, 2, 12, 60])
def test_deep_trees_keep_their_queue(depth: int) -> None:
    chain: list[JsonObject] = [{"resource": "r0", "method": "list"}]
    chain += [{"resource": f"r{n}", "method": "list", "depends_on": f"r{n - 1}"} for n in range(1, depth)]

    found = list(leaves(canvas.build(run_start(chain))))

    assert [signature.options["queue"] for signature in found] == ["daemon-group.eu"] * depth


def test_webhook_run_rings_its_delivery_unit_alone() -> None:
    found = canvas.build(run_start(TREE, queue="rapid-bridge", delivery_unit_id="unit-1"))

    assert (found.task, found.args, found.options["queue"]) == (tasks.SYNC_UNIT, ("run-1", "unit-1"), "rapid-bridge")
    assert read_time(found.options["task_id"]) is not None


def test_lone_resource_is_a_subtask_carried_out_on_the_spot(monkeypatch: pytest.MonkeyPatch) -> None:
    applied: list[tuple[str, ...]] = []
    monkeypatch.setattr(Signature, "apply", lambda self: applied.append(self.args))

    canvas.set_off(run_start(TREE[:1]))

    assert applied == [("run-1", "users-id")]
