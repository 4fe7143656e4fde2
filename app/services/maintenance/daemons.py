"""The registry of daemons, as they write it and as the API shows it."""

from collections.abc import Mapping
from typing import Protocol

from app.engine.errors import NotFoundError
from app.engine.json_types import JsonObject
from app.engine.objects.daemons import Daemon
from app.engine.objects.lists import ListFilters, Page
from app.engine.status import DaemonStatus


class DaemonStore(Protocol):
    """Keeps daemons."""

    def register(self, daemon_id: str, *, group_key: str, label: str, metadata: JsonObject) -> None:
        """Write a daemon down as active, new or again."""

    def heard(self, daemon_id: str, status: DaemonStatus) -> None:
        """Note how a daemon stands."""

    def note_dropped(self, daemon_id: str, counts: Mapping[str, int]) -> None:
        """Note in a daemon's metadata how many messages it has dropped, by reason."""

    def note_failing(self, daemon_id: str, faults: Mapping[str, JsonObject]) -> None:
        """Note in a daemon's metadata which of its duties fail; none takes the note away."""

    def get(self, daemon_id: str) -> Daemon | None:
        """Find one daemon."""

    def list(self, filters: ListFilters) -> Page[Daemon]:
        """Read a page of daemons."""


class DaemonService:
    """Daemons register themselves here, and are listed."""

    def __init__(self, daemons: DaemonStore) -> None:
        self._daemons = daemons

    def register(self, daemon_id: str, *, group_key: str, label: str, metadata: JsonObject) -> None:
        """Write a daemon down as active."""
        self._daemons.register(daemon_id, group_key=group_key, label=label, metadata=metadata)

    def heard(self, daemon_id: str, status: DaemonStatus) -> None:
        """Note how a daemon stands."""
        self._daemons.heard(daemon_id, status)

    def note_dropped(self, daemon_id: str, counts: Mapping[str, int]) -> None:
        """Note how many messages a daemon has dropped, by reason."""
        self._daemons.note_dropped(daemon_id, counts)

    def note_failing(self, daemon_id: str, faults: Mapping[str, JsonObject]) -> None:
        """Note which duties of a daemon fail."""
        self._daemons.note_failing(daemon_id, faults)

    def get(self, daemon_id: str) -> Daemon:
        """Find one daemon; raise NotFoundError."""
        daemon = self._daemons.get(daemon_id)
        if daemon is None:
            raise NotFoundError("daemon", daemon_id)
        return daemon

    def list(self, filters: ListFilters) -> Page[Daemon]:
        """Read a page of daemons."""
        return self._daemons.list(filters)
