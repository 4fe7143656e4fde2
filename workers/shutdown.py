"""Exit from within the process, its work given back."""

import logging
import os
import time

from celery.worker import state

from app.engine.errors import StoreUnavailableError
from app.engine.status import DaemonStatus
from workers.runtime import identity, liveness, services

logger = logging.getLogger(__name__)

EXIT_CODE = 75
"""EX_TEMPFAIL: another try will do."""

_PATIENCE_SECONDS = 8.0


def exit_process(status: DaemonStatus) -> None:
    """Let slices end after their page, sign off, and exit: an orderly end could wait for the broker for ever."""
    services().stopping.set()
    services().delivery_pool.stop_within(services().settings.stop_grace_seconds)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while state.active_requests and time.monotonic() < deadline:
        time.sleep(0.1)
    services().delivery_pool.join(deadline - time.monotonic())
    liveness().remove(identity().id)
    try:
        services().leadership.resign()
        services().daemons.set_status(identity().id, status)
    except StoreUnavailableError:
        logger.warning("could not sign off", extra={"daemon_id": identity().id})
    logging.shutdown()
    os._exit(EXIT_CODE)
