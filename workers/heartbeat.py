"""A daemon's heartbeat: it calls itself through its own queue, reports that it consumes, and exits when it does not.

The call comes by the same connection and the same blocking read as all work, so a worker that receives it consumes;
an answer to Celery's ping, which comes by another, proves nothing.
"""

import logging
import os
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from celery import Celery
from celery.worker import state

from app import tracing
from app.broker import tasks
from app.broker.queues import build_daemon_queue
from app.engine.errors import BrokerUnavailableError, StoreUnavailableError
from app.engine.status import DaemonStatus
from app.services.maintenance.ports import Heartbeat
from app.version import find_version
from workers import metrics
from workers.runtime import identity, liveness, services

logger = logging.getLogger(__name__)

EXIT_CODE: Final = 75
"""EX_TEMPFAIL: another try will do."""
_PATIENCE_SECONDS: Final = 8.0


def install(app: Celery) -> None:
    """Add the call to the worker's tasks."""
    for name in (tasks.CANARY, *(former for former, name in tasks.FORMER.items() if name == tasks.CANARY)):
        app.task(name=name, Strategy="workers.heartbeat:build_handler", send_events=False)(_call)


def consume_own_queue(instance: Any, **_: object) -> None:
    """Make the worker consume this daemon's own queue beside those of its group."""
    instance.app.amqp.queues.select_add(build_daemon_queue(identity().id))


def build_handler(task: Any, app: Celery, consumer: Any, **_: object) -> Callable[..., None]:
    """Return a Celery strategy: it handles calls where messages come in, without a place in the pool or a log line."""

    def on_message(message: Any, body: object, ack: object, reject: object, callbacks: object, **_: object) -> None:
        message.ack_log_error(consumer.app.log.get_default_logger(), consumer.connection_errors)
        services().consumer_liveness.record_message()

    return on_message


def register(label: str, *, slots: int) -> None:
    """Write this daemon into the registry; ``label`` is what Celery calls it, ``slots`` what it does at once."""
    who = identity()
    metadata = {"hostname": socket.gethostname(), "pid": os.getpid(), "slots": slots, "version": find_version()}
    if (address := metrics.serve()) is not None:
        metadata["metrics_address"] = address
    services().daemons.register(
        who.id,
        group_key=who.group_key,
        label=label or who.id,
        metadata=metadata,
        lease_owner=services().worker.owner,
    )
    _write_liveness_file(silent_seconds=0)


class HeartbeatSender:
    """Sends the heartbeats of this daemon."""

    def __init__(self) -> None:
        self.slots = 0
        """How many messages the worker takes at once."""
        self._recorded_dropped: dict[str, int] = {}

    def beat(self) -> None:
        """Call this daemon through the broker and report; exit when the calls do not come back."""
        if services().stopping.is_set():
            return
        consumer_liveness = services().consumer_liveness
        if len(state.reserved_requests) >= max(self.slots, 1):
            # The worker takes no message because it has enough of them.
            consumer_liveness.record_message()
        if consumer_liveness.is_stalled:
            _exit_stalled()
        consumer_liveness.record_call(was_taken=_call_daemon())
        if consumer_liveness.silent_seconds is not None:
            _write_liveness_file(silent_seconds=consumer_liveness.silent_seconds)
        _report()
        self._record_dropped()

    def _record_dropped(self) -> None:
        """Record how many messages were dropped, where ``GET /daemon`` shows it, when there are more of them."""
        counts = services().dropped.counts
        if counts != self._recorded_dropped:
            services().daemons.record_dropped(identity().id, counts)
            self._recorded_dropped = counts


def _call(daemon_id: str) -> None:
    """Do nothing: the strategy has done all."""


def _call_daemon() -> bool:
    try:
        services().heartbeats.call(identity().id)
    except BrokerUnavailableError:
        return False
    return True


def _report() -> None:
    silent_seconds = services().consumer_liveness.silent_seconds
    try:
        services().heartbeats.report(Heartbeat(daemon_id=identity().id, silent_seconds=silent_seconds))
    except BrokerUnavailableError as error:
        logger.warning("this daemon can not report", extra={"reason": type(error.__cause__).__name__})


def _write_liveness_file(*, silent_seconds: float) -> None:
    who = identity()
    try:
        liveness().write(who.id, group=who.group_key, silent_seconds=silent_seconds)
    except OSError as error:
        logger.warning("this daemon can write no liveness file for 'ferryman health'", extra={"reason": str(error)})


def _exit_stalled() -> None:
    """End slices after their page, sign off, and exit: the supervisor of this process starts another one.

    An orderly end could wait for the broker for ever.
    """
    facts = {"daemon_id": identity().id, "seconds": services().settings.deaf_seconds}
    logger.critical("this daemon takes no messages although the broker does: it ends, to be started anew", extra=facts)
    services().stopping.set()
    services().delivery_pool.stop_within(services().settings.stop_grace_seconds)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while state.active_requests and time.monotonic() < deadline:
        time.sleep(0.1)
    services().delivery_pool.join(deadline - time.monotonic())
    liveness().remove(identity().id)
    try:
        services().leadership.resign()
        services().daemons.set_status(identity().id, DaemonStatus.STOPPED)
    except StoreUnavailableError:
        logger.warning("could not sign off", extra={"daemon_id": identity().id})
    tracing.stop()
    logging.shutdown()
    os._exit(EXIT_CODE)
