"""Celery's signals: what moves a run's status, and what keeps the registry of daemons.

A signal may come twice or not at all (a killed daemon sends none): each leads to one conditional UPDATE, and the
sweeper repairs what a lost one leaves.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any

from celery import Task, signals
from kombu.exceptions import OperationalError

from app import interpreter, logs, tracing
from app.broker import tasks
from app.engine.errors import StoreUnavailableError
from app.engine.status import DaemonStatus
from workers import heartbeat
from workers.runtime import identity, liveness, services

logger = logging.getLogger(__name__)

_OF_EACH_TASK = ("celery.worker.strategy", "celery.app.trace")

_GOODBYE_SECONDS = 8.0
"""Slices have ended by then; deliveries have been left since a while, and are about to be given back."""


def install() -> None:
    """Connect the handlers; Celery keeps only weak references, hence ``weak=False``."""
    for signal, handler in (
        (signals.after_setup_logger, format_log),
        (signals.celeryd_after_setup, heartbeat.consume_own_queue),
        (signals.task_received, record_received),
        (signals.task_prerun, mark_running),
        (signals.task_success, settle),
        (signals.task_failure, record_failure),
        (signals.task_revoked, stop_revoked),
        (signals.task_rejected, count_dropped),
        (signals.worker_ready, register),
        (signals.worker_shutting_down, start_shutdown),
        (signals.worker_shutdown, finish_shutdown),
    ):
        signal.connect(_log_exceptions(handler), weak=False)


def format_log(logger: logging.Logger, **_: object) -> None:
    """Write this daemon's log as the API's is, with what each line is about: Celery's own format leaves that out.

    That a task was received, and how it ended, is left to Flower: a log line is about a run.
    """
    logs.format_facts(logger)
    for name in _OF_EACH_TASK:
        logging.getLogger(name).setLevel(logging.WARNING)


def record_received(**_: object) -> None:
    """Record that this daemon consumes."""
    services().consumer_liveness.record_message()


def mark_running(sender: Task, args: list[Any], **_: object) -> None:
    """Move a run to running when a daemon takes its first task up."""
    if _is_start(sender):
        services().lifecycle.mark_running(args[0], daemon_id=identity().id)


def settle(sender: Task, result: object, **_: object) -> None:
    """Settle a run after any task that may have brought it to its end."""
    if _is_ours(sender) and isinstance(result, str):
        services().lifecycle.settle(result)


def record_failure(sender: Task, args: list[Any], exception: BaseException, **_: object) -> None:
    """Record the error of a task that broke; a run that can not start has failed.

    A database or a broker that is away is no error of the run: the sweeper brings the work back.
    """
    if not _is_ours(sender) or is_passing(exception):
        return
    services().lifecycle.record_broken_task(args[0], type(exception).__name__, is_start=_is_start(sender))


def is_passing(exception: BaseException) -> bool:
    """Whether a task broke for want of Postgres, or of a broker for the rest of its chain."""
    return isinstance(exception, StoreUnavailableError | OperationalError)


def stop_revoked(sender: Task, request: Any, terminated: bool, expired: bool, **_: object) -> None:
    """Stop the run whose start an operator has revoked, if it still waits to be started.

    No message of Ferryman's expires, and one that was started before says nothing about the run as it is now.
    """
    if _is_start(sender) and not (terminated or expired):
        services().lifecycle.stop_created(request.args[0])


def count_dropped(exc: BaseException | None, **_: object) -> None:
    """Count a message that came from the broker and is none of Ferryman's; nothing of it is repeated."""
    reason = str(exc)
    if (count := services().dropped.count(reason)) is not None:
        logger.warning("a message that is none of Ferryman's was dropped", extra={"reason": reason, "count": count})


def register(sender: Any, **_: object) -> None:
    """Register this daemon as active, once it consumes."""
    interpreter.tune_garbage_collection()
    interpreter.raise_recursion_limit()
    heartbeat.register(sender.hostname, slots=sender.controller.concurrency)


def start_shutdown(**_: object) -> None:
    """End the slices under way after their page, and wait for receivers' answers no longer than the grace."""
    services().stopping.set()
    services().delivery_pool.stop_within(services().settings.stop_grace_seconds)
    services().daemons.set_status(identity().id, DaemonStatus.STOPPING)


def finish_shutdown(**_: object) -> None:
    """Register this daemon as stopped, once what it had under way is written or handed back."""
    services().delivery_pool.join(_GOODBYE_SECONDS)
    liveness().remove(identity().id)
    services().leadership.resign()
    services().daemons.set_status(identity().id, DaemonStatus.STOPPED)
    services().close()
    tracing.stop()


def _is_ours(task: Task) -> bool:
    return tasks.find_current_name(task.name) in tasks.ALL


def _is_start(task: Task) -> bool:
    return tasks.find_current_name(task.name) == tasks.START_RUN


def _log_exceptions(handler: Callable[..., None]) -> Callable[..., None]:
    """Log a handler's exception: Celery would print it without saying which run it was about."""

    @functools.wraps(handler)
    def guarded(**arguments: Any) -> None:
        try:
            handler(**arguments)
        except Exception:
            logger.exception("a signal handler failed", extra={"handler": handler.__name__})

    return guarded
