"""The tasks: each a few lines that load nothing, decide nothing and call one service.

Any of them may run twice, late or never; what it returns tells the success signal which run to look at.
"""

from app.broker import tasks
from app.engine.work import SliceOutcome
from workers import canvas
from workers.celery_app import app
from workers.runtime import services


@app.task(name=tasks.START_RUN)
def start_run(run_id: str) -> str | None:
    """Begin a run that its daemon has marked as running: write its first units and set its canvas off."""
    start = services().tracking.begin(run_id)
    if start is None:
        return run_id
    canvas.set_off(start)
    return None if start.has_work else run_id


@app.task(name=tasks.SYNC_RESOURCE)
def sync_resource(run_id: str, resource_id: str) -> str | None:
    """Work for one slice on a resource's next free unit."""
    return _to_settle(services().worker.work_on_resource(resource_id))


@app.task(name=tasks.SYNC_UNIT)
def sync_unit(run_id: str, unit_id: str) -> str | None:
    """Work for one slice on a unit."""
    return _to_settle(services().worker.work(unit_id))


def _to_settle(outcome: SliceOutcome) -> str | None:
    return outcome.run_id if outcome.may_settle else None
