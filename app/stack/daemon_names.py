"""Readable names of daemons: `<group>-<number>`, with the lowest number that is free on this machine.

Celery, Flower and the logs show it before the machine's name. The identity of a daemon is its id; a number is
used again by a later daemon.
"""

import fcntl
import hashlib
import os
import tempfile
from itertools import count
from pathlib import Path
from typing import Final

from app.engine.ids import new_id

PLACE: Final = "FERRYMAN_DAEMON_NAMES"
"""The variable with the directory of a stack's used numbers, which is removed with the stack."""


def take_name(group: str, *, broker_url: str, directory: Path | None = None) -> str:
    """Return a name with the lowest free number, which stays locked as long as this process lives.

    The lock outlives ``exec``. Where no file can be locked the name ends in a random text instead.
    """
    place = directory or Path(os.environ.get(PLACE) or Path(tempfile.gettempdir()) / f"ferryman-names-{os.getuid()}")
    broker = hashlib.sha256(broker_url.encode()).hexdigest()[:16]
    try:
        place.mkdir(mode=0o700, exist_ok=True, parents=True)
        if place.stat().st_uid != os.getuid():
            raise PermissionError(f"{place} belongs to another user")
        for number in count(1):
            if _try_lock(place / f"{broker}-{group}-{number}"):
                return f"{group}-{number}"
    except OSError:
        pass
    return f"{group}-{new_id()[:8]}"


def _try_lock(file: Path) -> bool:
    """Lock a file until this process ends; False when another one has it."""
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    os.set_inheritable(descriptor, True)
    return True
