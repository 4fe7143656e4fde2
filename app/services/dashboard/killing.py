"""Kill a daemon of this machine, to see that nothing is lost: for demonstrations only."""

import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from app.engine.errors import ConflictError
from app.engine.objects.daemons import Daemon
from app.engine.objects.lists import ListFilters
from app.engine.status import DaemonStatus
from app.services.maintenance.daemons import DaemonService

_MOST_DAEMONS = 500


class DaemonKiller:
    """Kills daemons as a crash does, without a word to them."""

    def __init__(self, daemons: DaemonService) -> None:
        self._daemons = daemons

    def kill(self, daemon_id: str) -> Daemon:
        """Kill a daemon; raise NotFoundError, or ConflictError when it is none of this machine."""
        daemon = self._daemons.get(daemon_id)
        pid = _find_process(daemon)
        if pid is None:
            raise ConflictError(f"the daemon '{daemon.label}' does not run on this machine")
        os.kill(pid, signal.SIGKILL)
        return daemon

    def list_mortal(self, group_key: str | None) -> Sequence[Daemon]:
        """List the daemons that ``kill`` would kill; None stands for those of all groups."""
        found = self._daemons.list(ListFilters(limit=_MOST_DAEMONS)).result
        return [
            daemon
            for daemon in sorted(found, key=lambda one: one.label)
            if daemon.status is DaemonStatus.ACTIVE
            and group_key in (None, daemon.group_key)
            and _find_process(daemon) is not None
        ]


def _find_process(daemon: Daemon) -> int | None:
    """Return the number of a daemon's process on this machine; None: it has none here, or not any more."""
    pid = daemon.metadata.get("pid")
    is_here = daemon.metadata.get("hostname") == socket.gethostname()
    return pid if is_here and isinstance(pid, int) and _is_daemon(pid) else None


def _is_daemon(pid: int) -> bool:
    """Whether a process of this number is a Celery worker: its number may be another's by now."""
    try:
        return pid > 1 and b"celery" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
