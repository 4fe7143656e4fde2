"""Check whether everything that runs need is available."""

from collections.abc import Callable, Mapping
from enum import StrEnum

from app.engine.json_types import JsonObject


class StoreState(StrEnum):
    """The state of Postgres."""

    OK = "ok"
    READ_ONLY = "read-only"
    """It answers questions and takes no changes: a standby, or one whose primary is about to change."""
    UNREACHABLE = "unreachable"


class HealthService:
    """Checks what Ferryman depends on.

    Without Postgres it serves nothing (unhealthy). Without the broker it is degraded: it still takes runs and
    answers every question, so a balancer that turned callers away would make an outage of a delay. Before a Postgres
    that takes no changes it is degraded too: it still answers questions.
    """

    def __init__(
        self,
        *,
        look_at_store: Callable[[], StoreState],
        others: Mapping[str, Callable[[], bool]],
        count_live: Callable[[], Mapping[str, int]],
        read_failing_duties: Callable[[], JsonObject],
        count_troubled_destinations: Callable[[], Mapping[str, int]],
    ) -> None:
        """``count_live`` counts the live daemons by their groups."""
        self._look_at_store = look_at_store
        self._others = others
        self._count_live = count_live
        self._read_failing_duties = read_failing_duties
        self._count_troubled_destinations = count_troubled_destinations

    def check(self) -> tuple[bool, JsonObject]:
        """Return whether it serves, the state of each part, the duties that fail, the live daemons, and destinations.

        A lack of live daemons is no failure: runs wait for one. Nor is a destination that fails or lags: it is
        somebody's database or bucket, and its records wait.
        """
        store = self._look_at_store()
        serves = store is not StoreState.UNREACHABLE
        found = {name: check() for name, check in self._others.items()}
        shown = {"postgres": store} | {name: "ok" if is_there else "unreachable" for name, is_there in found.items()}
        live = self._count_live() if serves else {}
        failing = self._read_failing_duties() if serves else {}
        troubled = {**self._count_troubled_destinations()} if serves else {}
        is_well = store is StoreState.OK and all(found.values()) and not failing
        status = "unhealthy" if not serves else "ok" if is_well else "degraded"
        return serves, {"status": status, **shown, "duties": failing, "daemons": live, "destinations": troubled}
