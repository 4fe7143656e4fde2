"""Turn a run's plan into a Celery canvas: independent resources side by side, a parent before its children.

Every signature carries its queue: ``apply_async(queue=...)`` on a chain would route only its first task. The canvas
only rings; which resource has ended is decided in Postgres (app/engine/runs/settling.py), never by a chord.
"""

from celery import chain, group
from celery.canvas import Signature

from app.broker import tasks
from app.engine.ids import new_timed_id
from app.services.runs.start import RunStart


def set_off(start: RunStart) -> None:
    """Publish the canvas; a subtask that is alone is carried out on the spot, which saves small runs a message."""
    if start.delivery_unit_id is None and len(start.plan.order) == 1:
        _branch(start, start.plan.order[0].name).apply()
    else:
        build(start).apply_async()


def build(start: RunStart) -> Signature:
    """Build the canvas of a run that begins."""
    if start.delivery_unit_id is not None:
        # A webhook run waits for the receiver's answer to its started event; that answer rings the rest.
        return _signature(tasks.SYNC_UNIT, start.run_id, start.delivery_unit_id, start.queue)
    return group(_branch(start, item.name) for item in start.plan.roots)


def _branch(start: RunStart, name: str) -> Signature:
    """Chain a resource with the group of its children's branches."""
    own = _signature(tasks.SYNC_RESOURCE, start.run_id, start.resource_ids[name], start.queue)
    children = [_branch(start, child.name) for child in start.plan.children_of(name)]
    return chain(own, group(children)) if children else own


def _signature(task: str, run_id: str, row_id: str, queue: str) -> Signature:
    return Signature(task, args=(run_id, row_id), immutable=True, options={"queue": queue, "task_id": new_timed_id()})
