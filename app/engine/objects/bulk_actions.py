"""What is done to every run that a search found."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId


class BulkKind(StrEnum):
    """What is done to each run."""

    STOP = "stop"
    """Of those that are live."""
    RESUME = "resume"
    """Of those that failed or were stopped."""
    RETRY_ERRORS = "retry_errors"
    """Of those that have ended with requests that failed: these are made again, and nothing else."""


class BulkStatus(StrEnum):
    """Where a bulk action stands."""

    COUNTING = "counting"
    """The runs that it is for are written down."""
    COUNTED = "counted"
    """It waits until a person confirms the count."""
    ACTING = "acting"
    """One run after the other."""
    FINISHED = "finished"
    """Every run was tried."""
    CANCELLED = "cancelled"
    """A person ended it; what was done stays."""


class BulkOutcome(StrEnum):
    """What became of one run."""

    PENDING = "pending"
    """Its turn has not come."""
    DONE = "done"
    SKIPPED = "skipped"
    """There was nothing to do by then."""
    FAILED = "failed"
    """It could not be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkAction:
    """An action on all runs that matched a search when they were counted."""

    id: str
    environment_id: EnvironmentId
    kind: BulkKind
    filters: JsonObject
    status: BulkStatus
    counted: int
    """Runs that it is for; final once it is counted."""
    done: int
    skipped: int
    failed: int
    created_at: datetime
    """Runs that were created later are not meant."""
    updated_at: datetime
    confirmed_at: datetime | None = None
    finished_at: datetime | None = None
    last_error: str | None = None
    """Why it does not go on."""

    @property
    def tried(self) -> int:
        """Count the runs whose turn has come."""
        return self.done + self.skipped + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkTarget:
    """One run of a bulk action."""

    run_id: str
    resumes: int
    """How often it had been resumed when it was counted: a second attempt finds one more."""
    outcome: BulkOutcome = BulkOutcome.PENDING
    reason: str | None = None
    """Why it was skipped, or failed."""
