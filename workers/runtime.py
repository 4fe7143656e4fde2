"""The services of this process, built at first use and so never before a fork: module-level state, as tasks need it."""

import os
import threading
from dataclasses import dataclass

from app import settings
from app.bootstrap.daemon import DaemonServices, build_daemon_services
from app.bootstrap.tracing import start_tracing
from app.engine.ids import new_id
from app.liveness_files import LivenessFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonIdentity:
    """Who this daemon is."""

    id: str
    group_key: str


_lock = threading.Lock()
_services: DaemonServices | None = None
_owner_pid = 0


def services() -> DaemonServices:
    """Return this process's services."""
    global _services, _owner_pid  # noqa: PLW0603 - see the module's docstring
    with _lock:
        if _services is None or _owner_pid != os.getpid():
            read = settings.read_environment()
            start_tracing(read, service="ferryman-daemon", instance=identity().id)
            _services = build_daemon_services(read)
            _owner_pid = os.getpid()
        return _services


def identity() -> DaemonIdentity:
    """Return who this daemon is, as ``ferryman daemon`` set it; a worker started by hand gets an id of its own."""
    daemon_id = os.environ.setdefault("FERRYMAN_DAEMON_ID", f"daemon-{new_id()[:8]}")
    return DaemonIdentity(id=daemon_id, group_key=os.environ.get("FERRYMAN_DAEMON_GROUP", "default"))


def liveness() -> LivenessFiles:
    """Return the liveness files of this machine."""
    return LivenessFiles(services().settings.database_url)
