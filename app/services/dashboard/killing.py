"""Kill a daemon of this machine, to see that nothing is lost: for demonstrations only."""

import os
import signal
import socket
from pathlib import Path

from app.engine.errors import ConflictError
from app.engine.objects.daemons import Daemon
from app.services.maintenance.daemons import DaemonService


class DaemonKiller:
    """Kills daemons as a crash does, without a word to them."""

    def __init__(self, daemons: DaemonService) -> None:
        self._daemons = daemons

    def kill(self, daemon_id: str) -> Daemon:
        """Kill a daemon; raise NotFoundError, or ConflictError when it is none of this machine."""
        daemon = self._daemons.get(daemon_id)
        pid = daemon.metadata.get("pid")
        if daemon.metadata.get("hostname") != socket.gethostname() or not isinstance(pid, int) or not _is_daemon(pid):
            raise ConflictError(f"the daemon '{daemon.label}' does not run on this machine")
        os.kill(pid, signal.SIGKILL)
        return daemon


def _is_daemon(pid: int) -> bool:
    """Whether a process of this number is a Celery worker: its number may be another's by now."""
    try:
        return pid > 1 and b"celery" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
