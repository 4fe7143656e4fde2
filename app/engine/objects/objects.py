"""The objects of the API as values: what is stored, and what is shown.

Times are aware UTC datetimes; ids are canonical UUID strings. Secrets are plain here and encrypted in the store; no
object that holds one has it in its ``repr``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, NewType, TypeVar

from app.engine.json_types import JsonObject
from app.engine.paths import Path
from app.engine.roles import Role
from app.engine.status import AccountStatus, DaemonStatus, ErrorHandling, RunStatus

T = TypeVar("T")

EnvironmentId = NewType("EnvironmentId", str)
RowVersion = NewType("RowVersion", str)
"""A state of an object as somebody has seen it; any change makes another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A tenant: everything but daemons belongs to one, and nothing of it is seen from another."""

    id: EnvironmentId
    name: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A bearer token's record; the secret itself is never stored."""

    id: str
    environment_id: EnvironmentId
    name: str
    role: Role
    created_by: str | None = None
    """The token that made it by the API; None is the command line."""
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """How one third-party API is spoken to (docs/wire.md A9); ``config`` is the raw, validated JSON."""

    id: str
    environment_id: EnvironmentId
    name: str
    category: str | None = None
    is_beta: bool = False
    sharing: str = "deny"
    config: JsonObject
    origins: Sequence[str] | None = None
    """The hosts that the config's own secrets were entered for; None where it holds none, or that was not noted."""
    override_origins: Sequence[str] | None = None
    """The same of what its environment lays over it."""
    unreadable: frozenset[Path] = frozenset()
    """Where the config holds what does not decrypt, as it is shown to its owner."""
    version: int = 1
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegratedAccount:
    """One customer's account at a third party; ``context`` holds the credentials."""

    id: str
    environment_id: EnvironmentId
    integration_id: str
    integration_name: str
    tenant_id: str
    authentication_method: str
    status: str = AccountStatus.ACTIVE
    """One of ``AccountStatus``."""
    last_error: str | None = None
    """Why it needs to be connected anew."""
    last_forbidden_error: JsonObject | None = None
    """``{resource, method, missing_scopes, occurred_at}`` of the last call that was answered 403."""
    context: JsonObject = field(repr=False)
    origins: frozenset[str] | None = None
    """Those that its secrets were entered for; None until that is noted."""
    plain_paths: frozenset[Path] | None = None
    """What of its context was declared to be no secret when it was entered; None: entered before that was kept."""
    unified_model_override: JsonObject = field(default_factory=dict)
    """``{model: {resource: {method: mapping}}}``, laid over the mappings of its integration."""
    integration_override: JsonObject = field(default_factory=dict, repr=False)
    """Laid over its integration's config, and over what its environment lays over that; may hold secrets."""
    override_origins: Sequence[str] | None = None
    """The hosts that the secrets of this override were entered for."""
    unreadable: frozenset[str] = frozenset()
    """Which of context and integration_override do not decrypt, and are empty here."""
    created_at: datetime
    updated_at: datetime

    @property
    def is_refused(self) -> bool:
        """Whether it has to be connected anew, as far as is known."""
        return self.status == "needs_reauth"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnifiedModel:
    """Resources that mean the same at every integration (docs/wire.md A10)."""

    id: str
    environment_id: EnvironmentId
    name: str
    category: str | None = None
    description: str | None = None
    sharing: str = "deny"
    resources: JsonObject
    version: int = 1
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentUnifiedModel:
    """What an environment changes about a unified model."""

    id: str
    environment_id: EnvironmentId
    unified_model_id: str
    override: JsonObject
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnifiedModelMethod:
    """How an integration carries out one method of a unified model: the base, or an environment's layer over it."""

    id: str
    environment_id: EnvironmentId
    unified_model_id: str
    resource_name: str
    integration_name: str
    method_name: str
    config: JsonObject
    environment_unified_model_id: str | None = None
    """Set on an environment's layer."""
    version: int = 1
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncJob:
    """What to pull, described once (docs/wire.md A1); ``resources`` is the raw, validated list."""

    id: str
    environment_id: EnvironmentId
    integration_name: str
    label: str = "Untitled"
    args_schema: JsonObject
    args_validation: str | None = None
    resources: list[JsonObject]
    default_runtime_version: int = 3
    mutex_key: str | None = None
    state_key: str | None = None
    overlap_seconds: int | None = None
    """How far increments reach back before the last one's upper bound; None is the setting."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where RapidBridge runs deliver; ``secret`` signs every delivery, for a while beside the one before it."""

    id: str
    environment_id: EnvironmentId
    target_url: str
    is_active: bool = True
    event_types: list[str] | None = None
    """None subscribes to every event."""
    signature_encoding: str = "hex"
    """How ``v`` of X-Truto-Signature is written: ``hex`` or ``base64``."""
    changes_only: bool = False
    """Its runs send the records that have changed since it was last told of them, and no others."""
    failing_since: datetime | None = None
    """Its first failure after its last success."""
    disabled_reason: str | None = None
    """Why Ferryman made it inactive; None when a user did."""
    previous_secret_expires_at: datetime | None = None
    """Until when what it is sent is signed by the secret before the present one too."""
    secret: str = field(repr=False)
    previous_secret: str | None = field(default=None, repr=False)
    created_at: datetime
    updated_at: datetime

    def valid_secrets(self, at: datetime) -> list[str]:
        """List the secrets that sign at a moment, the newest first."""
        is_previous_valid = self.previous_secret_expires_at is not None and at < self.previous_secret_expires_at
        return [self.secret, *([self.previous_secret] if self.previous_secret and is_previous_valid else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to a webhook, or at its end."""

    id: str
    webhook_id: str
    sync_job_run_id: str | None
    """None for an event that belongs to no run."""
    event: str
    status: str
    """One of ``DeliveryStatus``."""
    records: int
    sequence: int | None
    """A record batch's number in its account's log."""
    attempts: int
    last_status_code: int | None
    last_error: str | None
    created_at: datetime
    last_attempt_at: datetime | None
    delivered_at: datetime | None
    part_of: str | None = None
    """The delivery that its receiver refused as too large, and of which this one is a part."""
    body: str | None = field(default=None, repr=False)
    """The exact text that is signed and sent; None in lists, and once retention has removed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncJobRun:
    """One run of a sync job (docs/wire.md A3)."""

    id: str
    environment_id: EnvironmentId
    sync_job_id: str
    integrated_account_id: str
    status: RunStatus
    args: JsonObject
    resources: list[JsonObject]
    """The items that this run works on: a snapshot of the job's at creation."""
    sync_job: JsonObject
    """The job as it was at creation, as the wire shows it (ids and times as strings)."""
    daemon_id: str | None = None
    daemon_group_key: str | None = None
    webhook_id: str | None = None
    error_handling: ErrorHandling = ErrorHandling.IGNORE
    ignore_previous_run: bool = False
    version: int = 3
    previous_run_date: datetime | None = None
    """The earliest date that an increment of it asks from; that of each resource is in its stats."""
    upper_bound: datetime | None = None
    """The run's start on the upstream's clock; None before its first answer, and when that has no Date."""
    overlap_seconds: int = 120
    resource_stats: JsonObject = field(default_factory=dict)
    """``{resource: {method: {fetched, persisted, errors, status, ...}}}``, derived from the run's resource rows."""
    error: JsonObject | None = None
    """``{code, message, resource, at}`` of the reason a run failed."""
    retry_after: datetime | None = None
    """When a rate-limited run goes on."""
    mutex_key: str | None = None
    """Resolved: runs of one job with one key are carried out one at a time."""
    force: bool = False
    """Starts in spite of its mutex."""
    state_key: str | None = None
    """Resolved: the namespace of its states."""
    events_to_send: list[str] | None = None
    """The only events that its webhook gets; None is every one."""
    changes_only: bool = False
    """Its webhook gets the records that have changed since it was last told of them."""
    waiting_on: str | None = None
    """The run that a created one waits for, since both have the same mutex."""
    resumes: int = 0
    """How often it was resumed."""
    completed_at: datetime | None = None
    """When it first completed: a resumed run may complete again."""
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunError:
    """One recorded error of a run, as ``GET /sync-job-run/{id}/errors`` lists it."""

    id: str
    sync_job_run_id: str
    resource: str | None
    method: str | None
    code: str
    message: str
    details: JsonObject
    """What helps to find it: status, url without its query, parent ids, record_id, excerpt."""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A Celery worker process of one group."""

    id: str
    label: str
    group_key: str
    status: DaemonStatus
    metadata: JsonObject
    created_at: datetime
    updated_at: datetime
    last_active_at: datetime | None = None
    consumed_at: datetime | None = None
    """When it last took a message from its queues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a listing: the rows and the opaque cursor of the next page, None at the end."""

    result: list[T]
    next_cursor: str | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFilters:
    """What a listing is narrowed to, and which page of it is meant."""

    equal: Mapping[str, object] = field(default_factory=dict)
    """Column to the value that it must have."""
    among: Sequence[tuple[str, Sequence[object]]] = ()
    """Columns, each with the values of which it must have one."""
    unlike: Sequence[tuple[str, object]] = ()
    """Columns, each with a value that it must not have."""
    times: Mapping[tuple[str, str], object] = field(default_factory=dict)
    """``(column, operator)`` to a time, or to a list of times for ``in``."""
    limit: int = 100
    cursor: str | None = None
    sort: str = "-created_at"
    """The column that it is sorted by, with a dash before it for downwards."""
