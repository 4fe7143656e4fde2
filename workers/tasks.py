"""The tasks: each a few lines that decide nothing and call one service.

Any of them may run twice, late or never; what it returns names the run for the success signal to settle.
"""

from functools import partial
from typing import Final

from celery import Task
from celery.worker import state

from app.broker import tasks
from app.engine.runs.work import SliceOutcome, WorkFacts
from workers import canvas
from workers.celery_app import app
from workers.runtime import services

# Celery's own event for a start is sent before anything is known. This one leaves the task's state as it is.
_BEGUN: Final = "task-STARTED"


def start_run(task: Task, run_id: str) -> str | None:
    """Start a run that its daemon has marked as running: write its first units and set its canvas off."""
    start = services().lifecycle.start(run_id)
    if start is None:
        return run_id
    describe(task, start.facts)
    may_settle = canvas.set_off(start, services().worker)
    return run_id if may_settle else None


def sync_resource(task: Task, run_id: str, resource_id: str) -> str | None:
    """Work for one slice on a resource's next free unit."""
    return _run_to_settle(services().worker.work_on_resource(resource_id, report=partial(describe, task)))


def sync_unit(task: Task, run_id: str, unit_id: str) -> str | None:
    """Work for one slice on a unit."""
    return _run_to_settle(services().worker.work(unit_id, report=partial(describe, task)))


def write_destination(task: Task, destination_id: str, account_id: str) -> None:
    """Work for one slice on what an account's log holds for a destination."""
    describe_destination(task, destination_id, account_id)
    services().destination_worker.work(destination_id, account_id)


_BODIES = {
    tasks.START_RUN: start_run,
    tasks.SYNC_RESOURCE: sync_resource,
    tasks.SYNC_UNIT: sync_unit,
    tasks.WRITE_DESTINATION: write_destination,
}
for _name in (*_BODIES, *(former for former, name in tasks.FORMER.items() if name in _BODIES)):
    app.task(name=_name, bind=True)(_BODIES[tasks.find_current_name(_name)])


def _run_to_settle(outcome: SliceOutcome) -> str | None:
    return outcome.run_id if outcome.may_settle else None


def describe(task: Task, facts: WorkFacts) -> None:
    """Send what a task works on, for its line in Flower's list: its message holds ids alone."""
    _describe(task, f"run {facts.run_id}", f"{facts.what}, account {facts.account_id}")


def describe_destination(task: Task, destination_id: str, account_id: str) -> None:
    """Send which destination a task writes to."""
    _describe(task, f"destination {destination_id}", f"account {account_id}")


def _describe(task: Task, what: str, whose: str) -> None:
    request = state.requests.get(task.request.id)
    if request is not None:
        request.send_event(_BEGUN, args=what, kwargs=whose)
