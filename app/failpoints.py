"""Places where a test kills a process: between two steps whose order keeps every record safe.

``FERRYMAN_FAILPOINTS`` names a directory; without it a failpoint costs one comparison. A file in it, named as a
failpoint and holding a number n, arms that failpoint: the process that comes to it for the n-th time from then on takes
the file away and dies by SIGKILL. Since only one process can take a file away, and the one that is started again finds
none, an armed failpoint costs one life. This is for tests alone (tests/chaos).
"""

import os
from collections import Counter
from enum import StrEnum
from pathlib import Path
from signal import SIGKILL
from threading import Lock


class Failpoint(StrEnum):
    """Between which steps a process may die."""

    AFTER_FETCH = "after_fetch"
    """A page was answered; nothing of it is written."""
    BEFORE_CHECKPOINT = "before_checkpoint"
    """The page's records are upserted, its counters and the transaction are not done."""
    BEFORE_ACK = "before_ack"
    """The page is committed; nothing is dispatched for it, and the message is not acknowledged."""
    BEFORE_DELIVERED = "before_delivered"
    """The receiver has answered 2xx; the delivery still counts as pending."""
    BEFORE_REST = "before_rest"
    """What a destination's target refuses is noted as quarantined; the rest of the range is not written."""
    BEFORE_CURSOR = "before_cursor"
    """A destination's target has a range durably; the cursor is still before it."""


class Failpoints:
    """The failpoints of one process, armed by files in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._hits: Counter[Failpoint] = Counter()
        self._lock = Lock()

    def hit(self, point: Failpoint) -> None:
        """Die here if it is time to."""
        file = self._directory / point
        with self._lock:
            try:
                wanted = int(file.read_text())
            except (FileNotFoundError, ValueError):
                # Not armed, or its number is still being written.
                self._hits[point] = 0
                return
            self._hits[point] += 1
            if self._hits[point] >= wanted:
                _die_once(file)


def arm(directory: Path, point: Failpoint, hits: int) -> Path:
    """Arm a failpoint for all processes with the directory; return the file, which is removed when it fires."""
    file = directory / point
    file.write_text(str(hits))
    return file


def _die_once(file: Path) -> None:
    try:
        file.unlink()
    except FileNotFoundError:
        # Another process was quicker: it has died for this.
        return
    os.kill(os.getpid(), SIGKILL)


def _read_environment() -> Failpoints | None:
    directory = os.environ.get("FERRYMAN_FAILPOINTS")
    return Failpoints(Path(directory)) if directory else None


_failpoints = _read_environment()


def hit(point: Failpoint) -> None:
    """Die here if a test has armed this failpoint."""
    if _failpoints is not None:
        _failpoints.hit(point)
