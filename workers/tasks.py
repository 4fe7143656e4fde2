"""The tasks: each a few lines that load nothing, decide nothing and call one service.

Any of them may run twice, late or never; what it returns tells the success signal which run to look at.
"""

from celery import Task

from app.broker import tasks
from app.engine.runs.work import SliceOutcome
from workers import canvas
from workers.celery_app import app
from workers.runtime import services
from workers.tasks import describe


def start_run(task: Task, run_id: str) -> str | None:
    """Begin a run that its daemon has marked as running: write its first units and set its canvas off."""
    start = services().lifecycle.begin(run_id)
    if start is None:
        return run_id
    describe(task, start.facts)
    canvas.set_off(start)
    return None if start.has_work else run_id


def sync_resource(task: Task, run_id: str, resource_id: str) -> str | None:
    """Work for one slice on a resource's next free unit."""
    return _to_settle(services().worker.work_on_resource(resource_id, note=lambda facts: describe(task, facts)))


def sync_unit(task: Task, run_id: str, unit_id: str) -> str | None:
    """Work for one slice on a unit."""
    return _to_settle(services().worker.work(unit_id, note=lambda facts: describe(task, facts)))


_BODIES = {tasks.START_RUN: start_run, tasks.SYNC_RESOURCE: sync_resource, tasks.SYNC_UNIT: sync_unit}
for _name in (*_BODIES, *(former for former, name in tasks.FORMER.items() if name in _BODIES)):
    app.task(name=_name, bind=True)(_BODIES[tasks.find_current_name(_name)])


def _to_settle(outcome: SliceOutcome) -> str | None:
    return outcome.run_id if outcome.may_settle else None
