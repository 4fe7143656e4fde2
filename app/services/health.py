"""Is everything there that runs need?"""

from collections.abc import Callable, Mapping
from typing import Protocol

from app.engine.json_types import JsonObject


class LiveDaemons(Protocol):
    """Counts daemons."""

    def live_by_group(self) -> dict[str, int]:
        """Count the live daemons of each group."""


class HealthService:
    """Looks at what Ferryman stands on."""

    def __init__(self, *, checks: Mapping[str, Callable[[], bool]], daemons: LiveDaemons) -> None:
        self._checks = checks
        self._daemons = daemons

    def check(self) -> tuple[bool, JsonObject]:
        """Tell whether all is well, and what of it is: each of the checks, and the live daemons of each group.

        No live daemon is no illness: runs wait for one.
        """
        found = {name: check() for name, check in self._checks.items()}
        daemons = self._daemons.live_by_group() if found.get("postgres") else {}
        shown = {name: "ok" if is_well else "unreachable" for name, is_well in found.items()}
        is_well = all(found.values())
        return is_well, {"status": "ok" if is_well else "unhealthy", **shown, "daemons": daemons}
