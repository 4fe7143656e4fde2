"""The registry of daemons as the API shows it."""

from app.engine.errors import NotFoundError
from app.engine.objects.daemons import Daemon
from app.engine.objects.lists import ListFilters, Page
from app.services.maintenance.ports import DaemonStore


class DaemonService:
    """Daemons as the API's callers see them."""

    def __init__(self, daemons: DaemonStore) -> None:
        self._daemons = daemons

    def get(self, daemon_id: str) -> Daemon:
        """Find one daemon; raise NotFoundError."""
        daemon = self._daemons.get(daemon_id)
        if daemon is None:
            raise NotFoundError("daemon", daemon_id)
        return daemon

    def list(self, filters: ListFilters) -> Page[Daemon]:
        """Read a page of daemons."""
        return self._daemons.list(filters)
