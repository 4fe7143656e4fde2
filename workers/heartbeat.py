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
from app.services.maintenance.heartbeats import Pulse
from workers import shutdown
from workers.runtime import identity, life_signs, services

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
    hearing = services().hearing
    if _is_full():
        hearing.note_heard()
    if hearing.is_deaf:
        leave_deaf()
    hearing.note_called(was_taken=_calls())
    if hearing.silent_seconds is not None:
        _leave_sign(silent_seconds=hearing.silent_seconds)
    _report()
    _report_dropped()


def leave_deaf() -> None:
    """End this process: whoever supervises it starts one that hears."""
    facts = {"daemon_id": identity().id, "seconds": services().settings.deaf_seconds}
    logger.critical("this daemon takes no messages although the broker does: it ends, to be started anew", extra=facts)
    shutdown.leave(DaemonStatus.STOPPED)


def _is_full() -> bool:
    """Whether the worker takes no message because it has enough of them."""
    return len(state.reserved_requests) >= max(_slots[0], 1)


def _calls() -> bool:
    try:
        services().pulses.call(identity().id)
    except BrokerUnavailableError:
        return False
    return True


def _report() -> None:
    try:
        services().pulses.report(Pulse(daemon_id=identity().id, silent_seconds=services().hearing.silent_seconds))
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
        life_signs().leave(who.id, group=who.group_key, silent_seconds=silent_seconds)
    except OSError as error:
        logger.warning("this daemon can leave no sign of life for 'ferryman health'", extra={"reason": str(error)})
