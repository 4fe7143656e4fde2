"""What Flower shows of Ferryman, and which of its buttons say that daemons do not obey them.

A task's message holds ids alone; its daemon adds what it is about (descriptions.py). Flower has no columns for that, so
its columns of arguments are called otherwise.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from flower.api import control, tasks
from flower.views import broker as broker_pages
from flower.views import tasks as task_pages

from app.broker.queues import HEARTBEATS
from app.broker.task_messages import signer_of_environment
from app.engine.objects.daemons import RAPID_BRIDGE_QUEUE
from workers.commands import REFUSALS, STOP_THE_RUN

_web: Final = control.web
TASK_COLUMNS: Final = "name,state,args,kwargs,received,started,runtime,worker,uuid"
_LABELS: Final = {"args": "Run", "kwargs": "Resource and account"}

_MESSAGE: Final = re.compile(r"[\[(]'([0-9a-f-]{36})'")
"""How a message writes its arguments, the run's id first."""
_WAITING: Final = frozenset({"PENDING", "RECEIVED"})
_NO_TASKS: Final = "runs are started by POST /sync-job-run or 'ferryman run create', never by a task of their own"

_REFUSED: Final = {
    control.WorkerShutDown: REFUSALS["shutdown"],
    control.WorkerPoolRestart: REFUSALS["pool_restart"],
    control.WorkerPoolGrow: REFUSALS["pool_grow"],
    control.WorkerPoolShrink: REFUSALS["pool_shrink"],
    control.WorkerPoolAutoscale: REFUSALS["autoscale"],
    control.WorkerQueueAddConsumer: REFUSALS["add_consumer"],
    control.WorkerQueueCancelConsumer: REFUSALS["cancel_consumer"],
    control.TaskTimout: REFUSALS["time_limit"],
    control.TaskRateLimit: REFUSALS["rate_limit"],
    tasks.TaskApply: _NO_TASKS,
    tasks.TaskAsyncApply: _NO_TASKS,
    tasks.TaskSend: _NO_TASKS,
    tasks.TaskAbort: REFUSALS["terminate"],
}


def adapt() -> None:
    """Change the Flower of this process."""
    task_pages.TASK_COLUMNS.update(_LABELS)
    for handler, words in _REFUSED.items():
        handler.post = _refusing(words)
    control.TaskRevoke.post = _revoking(control.TaskRevoke.post)
    broker_pages.BrokerView.get_active_queue_names = _queue_names


def show_task(task: Any) -> Any:
    """Show the run of a task that nothing was told of: it waits, or has found its work taken by another one."""
    if (found := _MESSAGE.match(task.args or "")) is not None:
        task.args = f"run {found[1]}"
        task.kwargs = "nothing was left to do" if task.state == "SUCCESS" else ""
    return task


def _refusing(words: str) -> Callable[..., Any]:
    async def post(self: Any, *_: str) -> None:
        raise _web.HTTPError(403, words)

    handler: Callable[..., Any] = _web.authenticated(post)
    return handler


def _revoking(revoke: Callable[..., Any]) -> Callable[..., Any]:
    """Revoke what waits, where daemons obey that: what has begun is ended by its run's end."""

    async def post(self: Any, task_id: str) -> None:
        if self.get_argument("terminate", default=False, type=bool):
            raise _web.HTTPError(403, REFUSALS["terminate"])
        if signer_of_environment() is None:
            raise _web.HTTPError(403, REFUSALS["revoke"])
        task = self.application.events.state.tasks.get(task_id)
        if task is not None and task.state not in _WAITING:
            raise _web.HTTPError(403, f"task {task_id} has begun, or ended: {STOP_THE_RUN}")
        await revoke(self, task_id)

    handler: Callable[..., Any] = _web.authenticated(post)
    return handler


def _queue_names(page: Any) -> list[str]:
    """List the queues that daemons serve and report to; those of one daemon alone hold nothing but its own calls."""
    workers = page.application.workers.values()
    served = {queue["name"] for info in workers for queue in info.get("active_queues", ())}
    shared = {name for name in served if not name.startswith("daemon.")}
    return sorted({RAPID_BRIDGE_QUEUE, HEARTBEATS.name, *shared})
