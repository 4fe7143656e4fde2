"""Every table, as SQLAlchemy Core; migrations/ makes the same in the database.

Ids are UUIDs made by the application. Times are ``timestamptz``. ``*_encrypted`` columns hold Fernet tokens.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

metadata = MetaData()
_uuid = UUID(as_uuid=False)
_time = DateTime(timezone=True)


def _id() -> Column[str]:
    return Column("id", _uuid, primary_key=True)


def _times() -> tuple[Column[object], Column[object]]:
    return (
        Column("created_at", _time, nullable=False, server_default=func.now()),
        Column("updated_at", _time, nullable=False, server_default=func.now()),
    )


def _environment() -> Column[str]:
    return Column("environment_id", _uuid, ForeignKey("environment.id"), nullable=False)


environment = Table("environment", metadata, _id(), Column("name", Text, nullable=False, unique=True), *_times())

api_token = Table(
    "api_token",
    metadata,
    _id(),
    _environment(),
    Column("name", Text, nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),  # SHA-256 of the token's text
    Column("created_at", _time, nullable=False, server_default=func.now()),
    Column("last_used_at", _time),
    Column("expires_at", _time),
    Column("revoked_at", _time),
)

integration = Table(
    "integration",
    metadata,
    _id(),
    _environment(),
    Column("name", Text, nullable=False),
    Column("category", Text),
    Column("is_beta", Boolean, nullable=False, server_default=text("false")),
    Column("sharing", Text, nullable=False, server_default="deny"),
    Column("config", JSONB, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),  # optimistic lock
    *_times(),
    UniqueConstraint("environment_id", "name", name="integration_environment_name"),
)

integrated_account = Table(
    "integrated_account",
    metadata,
    _id(),
    _environment(),
    Column("integration_id", _uuid, ForeignKey("integration.id"), nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("authentication_method", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="active"),
    Column("context_encrypted", LargeBinary, nullable=False),
    *_times(),
    Index("integrated_account_page", "environment_id", "created_at", "id"),
)

sync_job = Table(
    "sync_job",
    metadata,
    _id(),
    _environment(),
    Column("integration_name", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("args_schema", JSONB, nullable=False),
    Column("args_validation", Text),
    Column("resources", JSONB, nullable=False),
    Column("default_runtime_version", Integer, nullable=False, server_default="3"),
    Column("mutex_key", Text),
    Column("state_key", Text),
    Column("overlap_seconds", Integer),  # None: the setting
    *_times(),
    Index("sync_job_page", "environment_id", "created_at", "id"),
)

webhook = Table(
    "webhook",
    metadata,
    _id(),
    _environment(),
    Column("target_url", Text, nullable=False),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    Column("event_types", ARRAY(Text)),
    Column("signature_encoding", Text, nullable=False, server_default="hex"),
    Column("secret_encrypted", LargeBinary, nullable=False),
    Column("failing_since", _time),  # the first failure after the last success
    Column("disabled_reason", Text),  # why Ferryman, not a user, made it inactive
    *_times(),
    Index("webhook_page", "environment_id", "created_at", "id"),
)

sync_job_run = Table(
    "sync_job_run",
    metadata,
    _id(),
    _environment(),
    # No foreign keys to job, account and webhook: a run outlives them.
    Column("sync_job_id", _uuid, nullable=False),
    Column("integrated_account_id", _uuid, nullable=False),
    Column("status", Text, nullable=False, server_default="created"),
    Column("args", JSONB, nullable=False),
    Column("args_hash", LargeBinary, nullable=False),  # SHA-256 of the canonical JSON: "the same args"
    Column("resources", JSONB, nullable=False),
    Column("sync_job", JSONB, nullable=False),
    Column("daemon_id", Text),
    Column("daemon_group_key", Text),
    Column("webhook_id", _uuid),
    Column("queue", Text, nullable=False),
    Column("error_handling", Text, nullable=False, server_default="ignore"),
    Column("ignore_previous_run", Boolean, nullable=False, server_default=text("false")),
    Column("version", Integer, nullable=False, server_default="3"),
    Column("previous_run_date", _time),  # the lower bound of an increment
    Column("upper_bound", _time),  # its upper bound, on the upstream's clock: frozen by the run's first answer
    Column("overlap_seconds", Integer, nullable=False, server_default="120"),
    Column("mutex_key", Text),  # resolved: runs of one job with one key never run together
    Column("force", Boolean, nullable=False, server_default=text("false")),  # starts in spite of the mutex
    Column("retry_after", _time),  # when a rate-limited run goes on
    Column("resumes", Integer, nullable=False, server_default="0"),
    Column("begun_at", _time),  # when its first units were written; it may have none
    Column("completed_at", _time),  # the first time: what vanished upstream was decided then
    Column("error", JSONB),
    Column("rung_at", _time, nullable=False, server_default=func.now()),  # when a message was last sent for it
    *_times(),
    Column("started_at", _time),
    Column("finished_at", _time),
    Index("sync_job_run_page", "environment_id", "created_at", "id"),
    Index("sync_job_run_by_job", "sync_job_id", "created_at", "id"),
    Index("sync_job_run_by_account", "integrated_account_id", "created_at", "id"),
    # The sweeper and the daemons ask only for live runs, a sliver of the table.
    Index(
        "sync_job_run_live",
        "status",
        "rung_at",
        postgresql_where=text("status in ('created', 'running', 'rate_limited')"),
    ),
    Index(
        "sync_job_run_mutex",
        "sync_job_id",
        "mutex_key",
        "created_at",
        postgresql_where=text("mutex_key is not null and status in ('created', 'running', 'rate_limited')"),
    ),
    Index("sync_job_run_finished", "finished_at", "id", postgresql_where=text("finished_at is not null")),
    Index(
        "sync_job_run_previous",
        "sync_job_id",
        "integrated_account_id",
        "args_hash",
        "started_at",
        postgresql_where=text("status = 'completed'"),
    ),
)

_counters = ("pages", "fetched", "created", "updated", "unchanged", "deleted", "quarantined", "queued")
COUNTERS = (*_counters, "delivered", "dead_lettered", "skipped", "errors", "retried")

run_resource = Table(
    "run_resource",
    metadata,
    _id(),
    Column("run_id", _uuid, ForeignKey("sync_job_run.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("parent_name", Text),
    Column("persist", Boolean, nullable=False),
    Column("delete_tracking", Text),  # soft, hard, or None: records that vanished upstream stay
    Column("status", Text, nullable=False, server_default="waiting"),
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in COUNTERS),
    # Where in the account's log the run's changes lie.
    Column("first_sequence", BigInteger),
    Column("last_sequence", BigInteger),
    Column("started_at", _time),
    Column("finished_at", _time),
    UniqueConstraint("run_id", "name", name="run_resource_name"),
    # Counters move with every page: room on the page keeps those updates in place (HOT).
    postgresql_with={"fillfactor": "70"},
)

unit = Table(
    "unit",
    metadata,
    _id(),
    Column("run_id", _uuid, ForeignKey("sync_job_run.id", ondelete="CASCADE"), nullable=False),
    Column("resource_id", _uuid, ForeignKey("run_resource.id", ondelete="CASCADE"), nullable=True),
    # 'fetch': elements of one resource; 'delivery': the run's events to its webhook, in order.
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("elements", JSONB, nullable=False, server_default="[]"),  # what each request binds: parents, loop value
    Column("frontier", JSONB, nullable=False, server_default="{}"),  # which elements are done, and open cursors
    Column("lease_owner", _uuid),
    Column("lease_expires_at", _time),
    Column("fencing_token", BigInteger, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),  # claims since the last committed page
    Column("slices", Integer, nullable=False, server_default="0"),
    Column("idle_slices", Integer, nullable=False, server_default="0"),  # in a row, without a committed page
    Column("pages", BigInteger, nullable=False, server_default="0"),
    Column("wake_at", _time),
    Column("rung_at", _time, nullable=False, server_default=func.now()),
    *_times(),
    Index("unit_by_run", "run_id", "status"),
    Index("unit_by_resource", "resource_id", "status"),
    # The sweeper's three questions (units.py), a sliver of the table each.
    Index("unit_parked", "wake_at", postgresql_where=text("status = 'ready' and rung_at < wake_at")),
    Index(
        "unit_unheard",
        "rung_at",
        postgresql_where=text("status = 'ready' and (wake_at is null or wake_at <= rung_at)"),
    ),
    # Not by lease_expires_at, which moves with every page: an index on it would cost each page an index entry.
    Index("unit_leased", "rung_at", postgresql_where=text("status = 'leased'")),
    postgresql_with={"fillfactor": "70"},
)

run_error = Table(
    "run_error",
    metadata,
    _id(),
    Column("run_id", _uuid, ForeignKey("sync_job_run.id", ondelete="CASCADE"), nullable=False),
    Column("resource", Text),
    Column("method", Text),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("details", JSONB, nullable=False, server_default="{}"),
    Column("created_at", _time, nullable=False, server_default=func.now()),
    Index("run_error_page", "run_id", "created_at", "id"),
)

record = Table(
    "record",
    metadata,
    Column("integrated_account_id", _uuid, nullable=False),
    Column("resource", Text, nullable=False),
    Column("remote_id", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),
    Column("sync_job_run_id", _uuid, nullable=False),  # the last run that saw it
    Column("created_at", _time, nullable=False, server_default=func.now()),
    Column("updated_at", _time, nullable=False, server_default=func.now()),  # when its content last changed
    Column("synced_at", _time, nullable=False, server_default=func.now()),  # when a run last saw it
    Column("sequence", BigInteger, nullable=False, server_default="0"),  # of its last change in the account's log
    Column("deleted_at", _time),  # a tombstone: vanished upstream
    PrimaryKeyConstraint("integrated_account_id", "resource", "remote_id"),
    Index("record_by_sequence", "integrated_account_id", "sequence"),
    Index("record_tombstone", "deleted_at", postgresql_where=text("deleted_at is not null")),
    # Times grow with the table: a few bytes per megabyte serve the filters on them, where a B-tree would slow each row.
    Index("record_by_time", "updated_at", "synced_at", "created_at", postgresql_using="brin"),
)

# The last number that an account's log has given out. Its row is locked from there to the commit, so that whoever has
# read up to a number has missed nothing before it.
account_log = Table(
    "account_log",
    metadata,
    Column("integrated_account_id", _uuid, primary_key=True),
    Column("last_sequence", BigInteger, nullable=False, server_default="0"),
    Column("trimmed_through", BigInteger, nullable=False, server_default="0"),  # retention removed up to here
    postgresql_with={"fillfactor": "50"},
)

# Which records a pass with delete tracking has seen, a row per page: what is not among them has vanished.
record_seen = Table(
    "record_seen",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("resource_id", _uuid, ForeignKey("run_resource.id", ondelete="CASCADE"), nullable=False),
    Column("remote_ids", ARRAY(Text), nullable=False),
    Index("record_seen_by_resource", "resource_id"),
)

delivery = Table(
    "delivery",
    metadata,
    _id(),  # the event's id: the same at every attempt
    Column("sequence", BigInteger, Identity(always=True), nullable=False),  # the order of events within a run
    Column("run_id", _uuid, ForeignKey("sync_job_run.id", ondelete="CASCADE"), nullable=False),
    Column("resource_id", _uuid),
    Column("webhook_id", _uuid, nullable=False),
    Column("integrated_account_id", _uuid),
    Column("log_sequence", BigInteger),  # a record batch's number in its account's log
    Column("previous_log_sequence", BigInteger),  # that of the batch before it to the same webhook
    Column("event", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),  # the exact bytes that are signed and sent
    Column("records", Integer, nullable=False, server_default="0"),
    Column("status", Text, nullable=False, server_default="pending"),  # pending, delivered, dead_lettered
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("last_status_code", Integer),
    Column("last_error", Text),
    Column("created_at", _time, nullable=False, server_default=func.now()),
    Column("last_attempt_at", _time),
    Column("delivered_at", _time),
    Index("delivery_by_run", "run_id"),
    Index("delivery_by_webhook", "webhook_id", "created_at", "id"),
    Index(
        "delivery_log",
        "integrated_account_id",
        "log_sequence",
        postgresql_where=text("log_sequence is not null"),
    ),
    Index(
        "delivery_with_body",
        "delivered_at",
        postgresql_where=text("status = 'delivered' and octet_length(body) > 0"),
    ),
    Index("delivery_pending", "run_id", "sequence", postgresql_where=text("status = 'pending'")),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("task", Text, nullable=False),
    Column("args", JSONB, nullable=False),  # ids only
    Column("queue", Text, nullable=False),
    Column("created_at", _time, nullable=False, server_default=func.now()),
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    _environment(),
    Column("key", Text, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column("run_id", _uuid, nullable=False),
    Column("created_at", _time, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("environment_id", "key"),
    Index("idempotency_key_age", "created_at"),
)

daemon = Table(
    "daemon",
    metadata,
    Column("id", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("group_key", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("metadata", JSONB, nullable=False, server_default="{}"),
    *_times(),
    Column("last_active_at", _time),
    Column("consumed_at", _time),  # when it last took a canary message from its queue
    Index("daemon_by_group", "group_key", "status", "last_active_at"),
)
