"""Show in Flower what a task is about: its message holds ids alone, and who works on it knows the rest."""

from celery import Task
from celery.worker import state

from app.engine.runs.work import WorkFacts

# Celery's own event for a start is sent before anything is known. This one leaves the task's state as it is.
_BEGUN = "task-STARTED"


def describe(task: Task, facts: WorkFacts) -> None:
    """Send what a task works on, for its line in Flower's list; nothing for one that runs within another."""
    request = state.requests.get(task.request.id)
    if request is not None:
        request.send_event(_BEGUN, args=f"run {facts.run_id}", kwargs=f"{facts.what}, account {facts.account_id}")
