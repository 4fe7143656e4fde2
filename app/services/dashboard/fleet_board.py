"""The fleet as the dashboard shows it: its groups, who leads, and what waits in front of them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.engine.objects.daemons import RAPID_BRIDGE_QUEUE, Daemon, name_queue
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.engine.status import DaemonStatus
from app.services.diagnosis.fleet import Fleet, FleetStatus
from app.services.maintenance.daemons import DaemonService

_MOST_DAEMONS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One queue, and who serves it."""

    name: str
    live: int
    """Daemons that report and take messages of it."""
    slots: int | None
    """How many messages they take at once; None where a daemon of an earlier version does not say."""
    head_seconds: float | None
    """The age of the next message; None where the broker does not show it."""
    waiting_seconds: float
    """How long its first run has waited to be taken up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The fleet."""

    fleet: Fleet
    has_leader: bool
    queues: Sequence[Queue]
    daemons: Sequence[Daemon]
    last_heartbeat_at: datetime | None
    """When the leader last noted one."""

    @property
    def live(self) -> int:
        """How many daemons live."""
        return sum(self.fleet.facts.daemons.values())

    @property
    def queue_seconds(self) -> float | None:
        """The age of the oldest message that is next in its queue."""
        return max((one.head_seconds for one in self.queues if one.head_seconds is not None), default=None)


class FleetBoard:
    """Reads the board: daemons serve all environments, and a group that none serves is known where its runs wait."""

    def __init__(
        self,
        fleet: FleetStatus,
        daemons: DaemonService,
        has_leader: Callable[[], bool],
        list_waiting_groups: Callable[[EnvironmentId], Collection[str]],
    ) -> None:
        """``list_waiting_groups`` lists the groups that an environment's runs wait for."""
        self._fleet = fleet
        self._daemons = daemons
        self._has_leader = has_leader
        self._list_waiting_groups = list_waiting_groups

    def read(self, environment_id: EnvironmentId) -> Board:
        """Read it now, as an environment may see it; raise StoreUnavailableError."""
        fleet, waiting = self._fleet.read(), self._list_waiting_groups(environment_id)
        daemons = self._daemons.list(ListFilters(limit=_MOST_DAEMONS)).result
        beats = [daemon.last_active_at for daemon in daemons if daemon.last_active_at is not None]
        return Board(
            fleet=fleet,
            has_leader=self._has_leader(),
            queues=_list_queues(fleet, daemons, waiting),
            daemons=sorted(daemons, key=lambda one: (one.status, one.group_key, one.label)),
            last_heartbeat_at=max(beats, default=None),
        )


def _list_queues(fleet: Fleet, daemons: Sequence[Daemon], waiting: Collection[str]) -> Sequence[Queue]:
    facts = fleet.facts
    groups = {name_queue(key): [key] for key in facts.daemons} | {RAPID_BRIDGE_QUEUE: list(facts.daemons)}
    return [
        Queue(
            name=name,
            live=sum(facts.daemons[key] for key in groups.get(name, ())),
            slots=_count_slots(groups.get(name, ()), daemons),
            head_seconds=fleet.queue_head_seconds.get(name),
            waiting_seconds=facts.oldest_created_seconds.get(name, 0.0),
        )
        for name in sorted({*groups, *map(name_queue, waiting)})
    ]


def _count_slots(groups: Sequence[str], daemons: Sequence[Daemon]) -> int | None:
    active = [one for one in daemons if one.group_key in groups and one.status == DaemonStatus.ACTIVE]
    slots = [one.metadata["slots"] for one in active if isinstance(one.metadata.get("slots"), int)]
    return sum(slots) if slots and len(slots) == len(active) else None
