"""A daemon's sign of life: Celery's heartbeat says that it consumes, the registry says so to everybody else."""

import os
import socket
import time

from app.engine.status import DaemonStatus
from workers.runtime import identity, services

_last_beat = [0.0]
# Celery beats every 2 s while it is connected to the broker; a few misses mean that it consumes nothing.
_SILENT_AFTER_SECONDS = 10.0


def beat(**_: object) -> None:
    """Note that the consumer's loop runs. Called from that loop, so it must not wait for anything."""
    _last_beat[0] = time.monotonic()


def register() -> None:
    """Write this daemon into the registry."""
    who = identity()
    services().daemons.register(
        who.id,
        group_key=who.group_key,
        label=who.id,
        metadata={"hostname": socket.gethostname(), "pid": os.getpid()},
    )


def report() -> None:
    """Tell the registry that this daemon lives, if its consumer does."""
    is_beating = time.monotonic() - _last_beat[0] < _SILENT_AFTER_SECONDS
    if is_beating and not services().stopping.is_set():
        services().daemons.heard(identity().id, DaemonStatus.ACTIVE)
