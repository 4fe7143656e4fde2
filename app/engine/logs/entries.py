"""The log (wire.md B, /log): its kinds, and an entry of each."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from app.engine.jobs.items import NodeKind
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.webhooks import Delivery
from app.engine.status import RunStatus
from app.engine.webhooks import events


class LogType(StrEnum):
    """A kind of log."""

    TRIGGERS = "sync_job_cron_trigger"
    """The outcomes of cron triggers' due times."""
    RAPID_BRIDGE = "rapid_bridge"
    """What happened in runs, those of daemons too."""
    RUNS = "sync_job_run"
    """The same by another name."""
    WEBHOOKS = "webhook"
    """What webhooks were sent."""
    DIRECT_CALLS = "unified_proxy_api"
    """Calls of accounts' APIs through /unified, /proxy and /custom."""


STOPPED: Final = "sync_job_run:stopped"
"""No webhook gets it, but the log has it."""
RUN_EVENTS: Final = (*events.OF_RUNS, STOPPED)
"""What may have happened in a run."""

_STATUSES: Final = {
    events.CREATED: RunStatus.CREATED,
    events.STARTED: RunStatus.RUNNING,
    events.RATE_LIMITED: RunStatus.RATE_LIMITED,
    events.COMPLETED: RunStatus.COMPLETED,
    events.FAILED: RunStatus.FAILED,
    STOPPED: RunStatus.STOPPED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRun:
    """The run of an entry."""

    environment_id: EnvironmentId
    sync_job_run_id: str
    sync_job_id: str
    integrated_account_id: str
    integration: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """One thing that happened in a run; what can not be known any more is None."""

    id: str
    run: LoggedRun
    webhook_id: str | None
    sync_job_run_event: str
    timestamp: datetime
    """When it happened."""
    created_at: datetime
    """Its place in the log: a ``started`` beside its ``created``, all else when it happened."""
    resource: str | None = None
    method: str | None = None
    num_records: int | None = None
    retry_after: int | None = None
    """Seconds for which the upstream asks to wait."""
    retry_count: int | None = None
    """Attempts of a delivery after its first."""
    delivery_status: str | None = None
    """Set where the entry is about a delivery."""
    webhook_status: int | None = None
    """What the receiver answered at the last attempt."""
    error: JsonObject | None = None
    """``{code, message, ...}`` of a record error or of a failed run."""
    last_error: str | None = None
    """Why the last attempt of a delivery failed."""

    @property
    def status(self) -> str | None:
        """The run's status that begins with this event."""
        return _STATUSES.get(self.sync_job_run_event)

    @property
    def webhook_successful(self) -> bool | None:
        """Whether the delivery was accepted; None while it is undecided, and where nothing was sent."""
        known = {"delivered": True, "dead_lettered": False, "cancelled": False, "quarantined": False}
        return known.get(self.delivery_status or "")

    @property
    def sync_job_request_type(self) -> str | None:
        """Its origin: a call of a unified API or of the account's own, a transform or a spool."""
        if self.resource is None:
            return None
        if self.method in (NodeKind.TRANSFORM, NodeKind.SPOOL):
            return self.method
        return "unified" if "/" in self.resource else "proxy"

    @property
    def logs(self) -> list[str]:
        """Its errors in words."""
        texts = [f"{self.error['code']}: {self.error['message']}"] if self.error else []
        return [*texts, *([self.last_error] if self.last_error else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEntry:
    """One delivery, and its environment."""

    environment_id: EnvironmentId
    delivery: Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectCall:
    """One direct call of an account's API; neither what was sent nor what came is kept."""

    id: str
    environment_id: EnvironmentId
    integrated_account_id: str | None
    api: str
    """unified, proxy or custom."""
    resource: str | None
    """``model/resource`` of a unified API, or one of the account's own; None where it was called by its path."""
    method: str
    response_status: int
    duration_ms: int
    error: str | None
    """The answer's message, where it is an error."""
    request_id: str
    created_at: datetime


def expand_event_name(name: str) -> str:
    """Return an event's whole name; ``completed`` means ``sync_job_run:completed``."""
    return name if ":" in name else f"sync_job_run:{name}"
