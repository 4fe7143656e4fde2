"""Liveness files of daemons on their machine, so that a health check needs neither server."""

import hashlib
import json
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any


class LivenessFiles:
    """The daemons of this machine and user that work on one database."""

    def __init__(self, database_url: str, *, directory: Path | None = None) -> None:
        self._directory = directory or Path(tempfile.gettempdir()) / f"ferryman-daemons-{os.getuid()}"
        self._database = hashlib.sha256(database_url.encode()).hexdigest()

    def write(self, daemon_id: str, *, group: str, silent_seconds: float) -> None:
        """Write that this process took a message so long ago; raise OSError."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        if self._directory.stat().st_uid != os.getuid():
            raise PermissionError(f"{self._directory} belongs to another user")
        file = self._find_file(daemon_id)
        draft = file.with_suffix(".new")
        draft.write_text(json.dumps({"group": group, "pid": os.getpid(), "database": self._database}))
        consumed_at = time.time() - silent_seconds
        os.utime(draft, (consumed_at, consumed_at))
        draft.rename(file)

    def remove(self, daemon_id: str) -> None:
        """Remove a daemon's file, those of daemons that were killed, and the directory with the last one."""
        self._find_file(daemon_id).unlink(missing_ok=True)
        for file in self._directory.glob("*.json"):
            self._read_living(file)
        # Another daemon's file is in it, or is written at this moment.
        with suppress(OSError):
            self._directory.rmdir()

    def is_alive(self, group: str, *, within_seconds: float) -> bool:
        """Whether a daemon of the group runs here, and took a message not longer ago than this."""
        return any(self._is_fresh(file, group, within_seconds) for file in self._directory.glob("*.json"))

    def _is_fresh(self, file: Path, group: str, within_seconds: float) -> bool:
        try:
            is_fresh = time.time() - file.stat().st_mtime <= within_seconds
        except OSError:
            return False
        sign = self._read_living(file)
        return sign is not None and is_fresh and (sign["group"], sign["database"]) == (group, self._database)

    def _read_living(self, file: Path) -> dict[str, Any] | None:
        """Read a daemon's file; remove it, and return None, if the daemon was killed."""
        try:
            sign: dict[str, Any] = json.loads(file.read_text())
        except (OSError, ValueError):
            return None
        if _is_running(sign["pid"]):
            return sign
        with suppress(OSError):
            file.unlink()
        return None

    def _find_file(self, daemon_id: str) -> Path:
        # An id may hold anything, slashes too.
        return self._directory / f"{hashlib.sha256(daemon_id.encode()).hexdigest()[:32]}.json"


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
