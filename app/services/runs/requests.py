"""A request for a run, before anybody has looked at what it refers to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.engine.json_types import JSON, JsonObject
from app.engine.status import ErrorHandling


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What ``POST /sync-job-run`` asks for."""

    sync_job_id: str = ""
    """Empty, as the next one, only beside a fault that says so."""
    integrated_account_id: str = ""
    args: JsonObject = field(default_factory=dict)
    daemon_group_key: str | None = None
    webhook_id: str | None = None
    error_handling: ErrorHandling = ErrorHandling.IGNORE
    ignore_previous_run: bool = False
    overlap_seconds: int | None = None
    """Replaces the job's."""
    resources: JSON = None
    """Replaces the job's resources for this run."""
    mutex_key: str | None = None
    """Replaces the job's."""
    force: bool = False
    """Start whatever other run holds the mutex."""
    state_key: str | None = None
    """Replaces the job's."""
    is_apart: bool = False
    """A trial: no increment goes on from where it ends, and it goes on from none."""
    events_to_send: Sequence[str] | None = None
    """The only events that the webhook gets; None is every one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """The caller's word that a repeat of the same body means the same run."""

    key: str
    body_hash: bytes
