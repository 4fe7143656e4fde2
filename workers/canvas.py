"""Turn a run's plan into a Celery canvas: independent resources side by side, a parent before its children.

Every signature carries its queue: ``apply_async(queue=...)`` on a chain would route only its first task. The canvas
only wakes units; which resource has ended is decided in Postgres (app/engine/runs/settling.py), never by a chord.
"""

from celery import chain, group
from celery.canvas import Signature

from app import tracing
from app.broker import tasks
from app.engine.ids import new_timed_id
from app.services.contexts.context import RunContext
from app.services.runs.start import RunStart
from app.services.units.unit_worker import UnitWorker
from app.tracing import Kind


def set_off(start: RunStart, worker: UnitWorker) -> bool:
    """Publish the canvas of a run; return whether the run may have come to its end.

    The first slice of a run of one resource is worked on here: a message less, and nothing is read again.
    """
    if start.only_resource_id is None:
        with tracing.span("send canvas", kind=Kind.PRODUCER, run_id=start.context.run.id):
            build(start).apply_async()
        return not start.has_work
    context = start.context if start.is_current else None
    outcome = worker.work_on_resource(start.only_resource_id, context=context)
    return outcome.may_settle or not start.has_work


def build(start: RunStart) -> Signature:
    """Build the canvas of a run that starts."""
    if start.delivery_unit_id is not None:
        # A webhook run waits for the receiver's answer to its started event; that answer wakes the rest.
        return _build_signature(tasks.SYNC_UNIT, start.context, start.delivery_unit_id)
    return group(_build_branch(start, item.name) for item in start.context.plan.roots)


def _build_branch(start: RunStart, name: str) -> Signature:
    """Chain a resource with the group of its children's branches."""
    own = _build_signature(tasks.SYNC_RESOURCE, start.context, start.context.resource_ids[name])
    children = [_build_branch(start, child.name) for child in start.context.plan.children_of(name)]
    return chain(own, group(children)) if children else own


def _build_signature(task: str, context: RunContext, row_id: str) -> Signature:
    options = {"queue": context.queue, "task_id": new_timed_id()}
    return Signature(task, args=(context.run.id, row_id), immutable=True, options=options)
