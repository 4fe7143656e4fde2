"""Directories for the data of servers, in memory where there is room.

A database is hundreds of files, which a file system in memory makes in a tenth of a disk's CPU time. A process that is
killed leaves its files there just as on a disk.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")
_ROOM_BYTES: Final = 8 * 1024**3


@contextmanager
def server_directory(prefix: str = "ferryman-test-") -> Iterator[Path]:
    """Make a directory that other users can reach; its path is short, because a socket's may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=_MEMORY if _has_room() else None) as name:
        yield Path(name)


def _has_room() -> bool:
    """Whether files may lie in memory: a container often has 64 MB of it, and who sets TMPDIR has a reason."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return False
    place = os.statvfs(_MEMORY)
    return min(place.f_bavail * place.f_frsize, _available_memory()) >= _ROOM_BYTES


def _available_memory() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)
