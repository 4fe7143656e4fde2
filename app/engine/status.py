"""The states of runs, resources, units and daemons, and the moves between them that are allowed."""

from enum import StrEnum


class RunStatus(StrEnum):
    """Where a sync job run stands."""

    CREATED = "created"
    """Accepted, or resumed; waits for a daemon of its group, or for the run that holds its mutex."""
    RUNNING = "running"
    """A daemon has begun."""
    RATE_LIMITED = "rate_limited"
    """Every unit that is left waits for the upstream's rate limit; goes on by itself."""
    COMPLETED = "completed"
    """All is done and the books balance."""
    FAILED = "failed"
    """Ended by an error, told in ``error``."""
    STOPPED = "stopped"
    """Ended by a user."""

    @property
    def is_final(self) -> bool:
        """Whether the run has ended; it goes on only if a user resumes it."""
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
    """Given up; its error is recorded."""
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


class ErrorHandling(StrEnum):
    """What a run does with an error."""

    IGNORE = "ignore"
    """Record it and go on (the default)."""
    FAIL_FAST = "fail_fast"
    """The first error ends the run."""
    BATCH = "batch"
    """As ignore; the errors of one batch travel in one record_error event."""


FINAL_RUN_STATUSES = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.STOPPED})
LIVE_RUN_STATUSES = frozenset(RunStatus) - FINAL_RUN_STATUSES
FINAL_UNIT_STATUSES = frozenset({UnitStatus.DONE, UnitStatus.FAILED, UnitStatus.CANCELLED})
FINAL_RESOURCE_STATUSES = frozenset({ResourceStatus.COMPLETED, ResourceStatus.FAILED, ResourceStatus.STOPPED})

# The state machine as data: a status may be entered only from these. A run that has ended is created anew by resume.
RUN_MOVES: dict[RunStatus, frozenset[RunStatus]] = {
    RunStatus.CREATED: FINAL_RUN_STATUSES,
    RunStatus.RUNNING: frozenset({RunStatus.CREATED, RunStatus.RATE_LIMITED}),
    RunStatus.RATE_LIMITED: frozenset({RunStatus.RUNNING}),
    RunStatus.COMPLETED: frozenset({RunStatus.RUNNING, RunStatus.RATE_LIMITED}),
    RunStatus.FAILED: LIVE_RUN_STATUSES,
    RunStatus.STOPPED: LIVE_RUN_STATUSES,
}


def allowed_origins(target: RunStatus) -> frozenset[RunStatus]:
    """Return from which statuses a run may move to ``target``."""
    return RUN_MOVES[target]


class AccountStatus(StrEnum):
    """What an account is good for."""

    ACTIVE = "active"
    NEEDS_REAUTH = "needs_reauth"
    """Its upstream refuses its credentials: a person has to connect it anew. It is asked all the same."""
    INACTIVE = "inactive"
    """Whoever owns it has put it to rest: nothing is asked of it, by runs or direct calls."""
