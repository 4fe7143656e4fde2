"""The states of runs, resources, units, deliveries, daemons and accounts, and the moves that are allowed."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, TypeAlias, TypeVar


class RunStatus(StrEnum):
    """Where a sync job run stands."""

    CREATED = "created"
    """Accepted, or resumed; waits for a daemon of its group, or for the run that holds its mutex."""
    RUNNING = "running"
    """A daemon has begun."""
    RATE_LIMITED = "rate_limited"
    """Every unit that is left waits for the upstream's rate limit; continues by itself."""
    COMPLETED = "completed"
    """All is done and the books balance."""
    FAILED = "failed"
    """Ended by an error, which ``error`` shows."""
    STOPPED = "stopped"
    """Ended by a user."""

    @property
    def is_final(self) -> bool:
        """Whether the run has ended; it continues only if a user resumes it."""
        return self in FINAL_RUN_STATUSES


class ResourceStatus(StrEnum):
    """Where one resource of a run stands."""

    WAITING = "waiting"
    """No unit of it has begun."""
    RUNNING = "running"
    """At least one unit has begun."""
    COMPLETED = "completed"
    """All its units are done."""
    FAILED = "failed"
    """A unit of it failed for good."""
    STOPPED = "stopped"
    """The run ended before this resource did."""


class UnitStatus(StrEnum):
    """Where one unit of work stands."""

    BLOCKED = "blocked"
    """Waits for the webhook to answer, or its backlog to shrink; or for a resumed run to start."""
    IDLE = "idle"
    """A delivery unit with nothing to deliver now."""
    READY = "ready"
    """Can be claimed once ``wake_at`` has passed."""
    LEASED = "leased"
    """A worker holds its lease."""
    DONE = "done"
    """Nothing is left to fetch."""
    FAILED = "failed"
    """Given up. Nothing moves a unit here: what fails is recorded with its elements, and the unit continues."""
    CANCELLED = "cancelled"
    """The run ended first."""


class DeliveryStatus(StrEnum):
    """Where one event on its way to a webhook stands."""

    PENDING = "pending"
    """Waits, or is under way."""
    DELIVERED = "delivered"
    """Its receiver has taken it."""
    DEAD_LETTERED = "dead_lettered"
    """Given up."""
    CANCELLED = "cancelled"
    """Its run was stopped first."""
    SPLIT = "split"
    """Its receiver refused it as too large; its parts, deliveries of their own, have taken its place."""
    QUARANTINED = "quarantined"
    """One record, which is more than its receiver takes."""


class DaemonStatus(StrEnum):
    """Where a daemon stands."""

    STARTING = "starting"
    ACTIVE = "active"
    STOPPING = "stopping"
    STOPPED = "stopped"


class CursorStatus(StrEnum):
    """Where one account's log stands at a destination."""

    WAITING = "waiting"
    """Everything is written, or its turn has not come."""
    WRITING = "writing"
    """A daemon has its lease."""
    FAILING = "failing"
    """The last attempt failed; another one follows."""


class ErrorHandling(StrEnum):
    """What a run does with an error."""

    IGNORE = "ignore"
    """Record it and continue (the default)."""
    FAIL_FAST = "fail_fast"
    """The first error ends the run."""
    BATCH = "batch"
    """As ignore; the errors of one batch travel in one record_error event."""


class AccountStatus(StrEnum):
    """What an account is good for."""

    ACTIVE = "active"
    NEEDS_REAUTH = "needs_reauth"
    """Its upstream refuses its credentials: a person has to connect it anew. Requests are sent all the same."""
    INACTIVE = "inactive"
    """Its owner has paused it: no request is sent to it, by runs or direct calls."""


Status: TypeAlias = RunStatus | ResourceStatus | UnitStatus | DeliveryStatus
"""The statuses of the four state machines."""
S = TypeVar("S", bound=Status)

FINAL_RUN_STATUSES: Final = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.STOPPED})
LIVE_RUN_STATUSES: Final = frozenset(RunStatus) - FINAL_RUN_STATUSES
BEGUN_RUN_STATUSES: Final = LIVE_RUN_STATUSES - {RunStatus.CREATED}
FINAL_RESOURCE_STATUSES: Final = frozenset({ResourceStatus.COMPLETED, ResourceStatus.FAILED, ResourceStatus.STOPPED})
LIVE_RESOURCE_STATUSES: Final = frozenset(ResourceStatus) - FINAL_RESOURCE_STATUSES
FINAL_UNIT_STATUSES: Final = frozenset({UnitStatus.DONE, UnitStatus.FAILED, UnitStatus.CANCELLED})
LIVE_UNIT_STATUSES: Final = frozenset(UnitStatus) - FINAL_UNIT_STATUSES
OPEN_UNIT_STATUSES: Final = LIVE_UNIT_STATUSES - {UnitStatus.IDLE}
"""Something is left to do."""
ACTIVE_UNIT_STATUSES: Final = OPEN_UNIT_STATUSES - {UnitStatus.BLOCKED}
"""Somebody works on it, or can."""
FINAL_DELIVERY_STATUSES: Final = frozenset(DeliveryStatus) - {DeliveryStatus.PENDING}

# The state machines as data: a status may be entered only from these. docs/run-lifecycle.md draws the same arrows.
_RUN_MOVES: Final[Mapping[RunStatus, frozenset[RunStatus]]] = {
    # A run that has ended is created anew by a resume.
    RunStatus.CREATED: FINAL_RUN_STATUSES,
    RunStatus.RUNNING: frozenset({RunStatus.CREATED, RunStatus.RATE_LIMITED}),
    RunStatus.RATE_LIMITED: frozenset({RunStatus.RUNNING}),
    RunStatus.COMPLETED: BEGUN_RUN_STATUSES,
    RunStatus.FAILED: LIVE_RUN_STATUSES,
    RunStatus.STOPPED: LIVE_RUN_STATUSES,
}
_RESOURCE_MOVES: Final[Mapping[ResourceStatus, frozenset[ResourceStatus]]] = {
    # A resume opens what had ended: as it was before its first unit, or as it was at work.
    ResourceStatus.WAITING: FINAL_RESOURCE_STATUSES,
    ResourceStatus.RUNNING: frozenset({ResourceStatus.WAITING, *FINAL_RESOURCE_STATUSES}),
    ResourceStatus.COMPLETED: LIVE_RESOURCE_STATUSES,
    ResourceStatus.FAILED: LIVE_RESOURCE_STATUSES,
    ResourceStatus.STOPPED: LIVE_RESOURCE_STATUSES,
}
_UNIT_MOVES: Final[Mapping[UnitStatus, frozenset[UnitStatus]]] = {
    UnitStatus.BLOCKED: frozenset({UnitStatus.LEASED, UnitStatus.CANCELLED, UnitStatus.FAILED}),
    UnitStatus.IDLE: frozenset({UnitStatus.LEASED}),
    # Of those that had ended, only a delivery unit is ready at once: it has events to send again.
    UnitStatus.READY: frozenset({UnitStatus.BLOCKED, UnitStatus.IDLE, UnitStatus.LEASED, *FINAL_UNIT_STATUSES}),
    # A lease that has expired is taken over.
    UnitStatus.LEASED: frozenset({UnitStatus.READY, UnitStatus.LEASED}),
    UnitStatus.DONE: frozenset({UnitStatus.LEASED}),
    UnitStatus.FAILED: frozenset(),
    UnitStatus.CANCELLED: LIVE_UNIT_STATUSES,
}
_DELIVERY_MOVES: Final[Mapping[DeliveryStatus, frozenset[DeliveryStatus]]] = {
    # Sent again, or opened by a resume; what was split goes on in its parts.
    DeliveryStatus.PENDING: FINAL_DELIVERY_STATUSES - {DeliveryStatus.SPLIT},
    **{status: frozenset({DeliveryStatus.PENDING}) for status in FINAL_DELIVERY_STATUSES},
}
MOVES: Final[Mapping[type[Any], Mapping[Any, frozenset[Any]]]] = {
    RunStatus: _RUN_MOVES,
    ResourceStatus: _RESOURCE_MOVES,
    UnitStatus: _UNIT_MOVES,
    DeliveryStatus: _DELIVERY_MOVES,
}


def allowed_origins(target: S) -> frozenset[S]:
    """Return from which statuses a row may move to ``target``."""
    return MOVES[type(target)][target]
