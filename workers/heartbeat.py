"""A daemon's pulse: it calls itself through the broker, reports that it hears, and starts itself anew when it does not.

The call comes by the same connection and the same blocking read as all work does, so whoever hears it consumes;
an answer to Celery's ping, which comes by another, proves nothing.
"""

import logging
import os
import socket
from typing import Any

from celery.worker import state

from app.engine.errors import BrokerUnavailableError
from app.engine.status import DaemonStatus
from app.services.maintenance.heartbeats import Heartbeat
from workers import shutdown
from workers.runtime import identity, liveness, services

logger = logging.getLogger(__name__)

_slots = [0]
_name = [""]
_told_dropped: dict[str, int] = {}


def join(worker: Any) -> None:
    """Learn how many messages the worker takes at once, and what Celery calls it."""
    _slots[0], _name[0] = worker.concurrency, worker.hostname


def register() -> None:
    """Write this daemon into the registry."""
    who = identity()
    services().daemons.register(
        who.id,
        group_key=who.group_key,
        label=_name[0] or who.id,
        metadata={"hostname": socket.gethostname(), "pid": os.getpid()},
    )
    _leave_sign(silent_seconds=0)


def show() -> None:
    """Call, listen, report; leave when the calls do not come back."""
    if services().stopping.is_set():
        return
    consumer_liveness = services().consumer_liveness
    if _is_full():
        consumer_liveness.note_heard()
    if consumer_liveness.is_stalled:
        leave_stalled()
    consumer_liveness.note_called(was_taken=_calls())
    if consumer_liveness.silent_seconds is not None:
        _leave_sign(silent_seconds=consumer_liveness.silent_seconds)
    _report()
    _report_dropped()


def leave_stalled() -> None:
    """End this process: whoever supervises it starts one that hears."""
    facts = {"daemon_id": identity().id, "seconds": services().settings.deaf_seconds}
    logger.critical("this daemon takes no messages although the broker does: it ends, to be started anew", extra=facts)
    shutdown.leave(DaemonStatus.STOPPED)


def _is_full() -> bool:
    """Whether the worker takes no message because it has enough of them."""
    return len(state.reserved_requests) >= max(_slots[0], 1)


def _calls() -> bool:
    try:
        services().heartbeats.call(identity().id)
    except BrokerUnavailableError:
        return False
    return True


def _report() -> None:
    try:
        services().heartbeats.report(
            Heartbeat(daemon_id=identity().id, silent_seconds=services().consumer_liveness.silent_seconds)
        )
    except BrokerUnavailableError as error:
        logger.warning("this daemon can not report", extra={"reason": type(error.__cause__).__name__})


def _report_dropped() -> None:
    """Write down how many messages were dropped, where ``GET /daemon`` shows it, when there are more of them."""
    counts = services().dropped.counts
    if counts == _told_dropped:
        return
    services().daemons.note_dropped(identity().id, counts)
    _told_dropped.update(counts)


def _leave_sign(*, silent_seconds: float) -> None:
    who = identity()
    try:
        liveness().write(who.id, group=who.group_key, silent_seconds=silent_seconds)
    except OSError as error:
        logger.warning("this daemon can leave no sign of life for 'ferryman health'", extra={"reason": str(error)})
