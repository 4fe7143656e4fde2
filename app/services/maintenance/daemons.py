"""The registry of daemons as the API shows it."""

from collections.abc import Callable

from app.engine.objects.daemons import Daemon
from app.engine.objects.lists import ListFilters, Page
from app.services.crud import require


class DaemonService:
    """Daemons as the API's callers see them."""

    def __init__(self, find: Callable[[str], Daemon | None], list_page: Callable[[ListFilters], Page[Daemon]]) -> None:
        self._find = find
        self.list = list_page

    def get(self, daemon_id: str) -> Daemon:
        """Find one daemon; raise NotFoundError."""
        return require(self._find(daemon_id), "daemon", daemon_id)
