"""Runs, their resources and units of work, their errors, and the messages that lead daemons to them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.engine.status import (
    ACTIVE_UNIT_STATUSES,
    LIVE_RUN_STATUSES,
    ResourceStatus,
    RunStatus,
    UnitStatus,
)
from app.store.tables.base import environment_column, id_column, metadata, time_type, times, uuid_type
from app.store.tables.statuses import any_of, known_statuses

WAITS_FOR_DESTINATIONS = f"wait_for_destinations and status <> '{RunStatus.COMPLETED}'"
"""Of runs whose entries are counted at each destination; one that has failed may be resumed."""

sync_job_run = Table(
    "sync_job_run",
    metadata,
    id_column(),
    environment_column(),
    # No foreign keys to job, account and webhook: a run outlives them.
    Column("sync_job_id", uuid_type, nullable=False),
    Column("integrated_account_id", uuid_type, nullable=False),
    Column("status", Text, nullable=False, server_default=RunStatus.CREATED.value),
    Column("args", JSONB, nullable=False),
    Column("args_hash", LargeBinary, nullable=False),  # SHA-256 of the canonical JSON: "the same args"
    Column("resources", JSONB, nullable=False),
    Column("sync_job", JSONB, nullable=False),
    Column("daemon_id", Text),
    Column("daemon_group_key", Text),
    Column("webhook_id", uuid_type),
    Column("queue", Text, nullable=False),
    Column("error_handling", Text, nullable=False, server_default="ignore"),
    Column("ignore_previous_run", Boolean, nullable=False, server_default=text("false")),
    Column("version", Integer, nullable=False, server_default="3"),
    Column("previous_run_date", time_type),  # the lower bound of an increment
    Column("upper_bound", time_type),  # its upper bound, on the upstream's clock: frozen by the run's first answer
    Column("overlap_seconds", Integer, nullable=False, server_default="120"),
    Column("mutex_key", Text),  # resolved: runs of one job with one key never run together
    Column("force", Boolean, nullable=False, server_default=text("false")),  # starts in spite of the mutex
    Column("state_key", Text),  # resolved: the namespace of its states
    Column("events_to_send", ARRAY(Text)),  # the only ones that the webhook gets; null is every one
    Column("changes_only", Boolean, nullable=False, server_default=text("false")),
    Column("wait_for_destinations", Boolean, nullable=False, server_default=text("false")),
    Column("landing_since", time_type),  # when all but its destinations was done; null again when it is resumed
    Column("destinations", JSONB(none_as_null=True)),  # what became of its records there, as it completed
    Column("deletions_decided", Boolean, nullable=False, server_default=text("false")),  # which records have vanished
    Column("retry_after", time_type),  # when a rate-limited run goes on
    Column("resumes", Integer, nullable=False, server_default="0"),
    Column("begun_at", time_type),  # when its first units were written; it may have none
    Column("completed_at", time_type),  # the first time: what vanished upstream was decided then
    Column("error", JSONB),
    Column("has_errors", Boolean, nullable=False, server_default=text("false")),  # it ended with some that stand
    Column("rung_at", time_type, nullable=False, server_default=func.now()),  # when a message was last sent for it
    *times(),
    Column("started_at", time_type),
    Column("finished_at", time_type),
    known_statuses(RunStatus, "sync_job_run_status"),
    Index("sync_job_run_page", "environment_id", "created_at", "id"),
    Index("sync_job_run_by_job", "sync_job_id", "created_at", "id"),
    Index("sync_job_run_by_account", "integrated_account_id", "created_at", "id"),
    # Nearly all runs have completed: lists of the others would read through those.
    Index(
        "sync_job_run_not_completed",
        "environment_id",
        "created_at",
        "id",
        postgresql_where=text(f"status <> '{RunStatus.COMPLETED}'"),
    ),
    # A search for some statuses merges one list in order of time for each.
    Index("sync_job_run_by_status", "environment_id", "status", "created_at", "id"),
    Index(
        "sync_job_run_by_args",
        "args",
        postgresql_using="gin",
        postgresql_ops={"args": "jsonb_path_ops"},
        postgresql_where=text("args <> '{}'::jsonb"),
    ),
    Index(
        "sync_job_run_by_error",
        "environment_id",
        text("(error ->> 'code'::text)"),
        "created_at",
        "id",
        postgresql_where=text("error is not null"),
    ),
    Index("sync_job_run_with_errors", "environment_id", "created_at", "id", postgresql_where=text("has_errors")),
    # Each range that a destination writes is asked whether a run waits for it.
    Index("sync_job_run_awaiting", "integrated_account_id", postgresql_where=text(WAITS_FOR_DESTINATIONS)),
    # The sweeper and the daemons ask only for live runs, a sliver of the table.
    Index("sync_job_run_live", "status", "rung_at", postgresql_where=text(f"status in {any_of(LIVE_RUN_STATUSES)}")),
    Index(
        "sync_job_run_landing",
        "landing_since",
        postgresql_where=text(f"landing_since is not null and status in {any_of(LIVE_RUN_STATUSES)}"),
    ),
    Index(
        "sync_job_run_mutex",
        "sync_job_id",
        "mutex_key",
        "created_at",
        postgresql_where=text(f"mutex_key is not null and status in {any_of(LIVE_RUN_STATUSES)}"),
    ),
    Index(
        "sync_job_run_ended", "environment_id", "finished_at", "id", postgresql_where=text("finished_at is not null")
    ),
    Index(
        "sync_job_run_previous",
        "sync_job_id",
        "integrated_account_id",
        "args_hash",
        "started_at",
        postgresql_where=text(f"status = '{RunStatus.COMPLETED}'"),
    ),
)

_counters = ("pages", "fetched", "created", "updated", "unchanged", "deleted", "quarantined", "queued")
COUNTERS = (
    *_counters,
    "withheld",
    "delivered",
    "dead_lettered",
    "skipped",
    "errors",
    "retried",
    "unproven",
    "tombstones",
    "repeated",
)

EXCHANGES = ("requests", "answered", "answer_ms")

run_resource = Table(
    "run_resource",
    metadata,
    id_column(),
    Column("run_id", uuid_type, ForeignKey("sync_job_run.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("parent_name", Text),
    Column("persist", Boolean, nullable=False),
    Column("delete_tracking", Text),  # soft, hard, or None: records that vanished upstream stay
    Column("status", Text, nullable=False, server_default=ResourceStatus.WAITING.value),
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in COUNTERS),
    # Where in the account's log the run's changes lie.
    Column("first_sequence", BigInteger),
    Column("last_sequence", BigInteger),
    Column("expected", BigInteger),  # the records that the upstream's totals declare; null where it declared none
    # What became of its requests (engine/runs/settling.py): a fault that was tried again is none of them.
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in EXCHANGES),
    Column("heard_at", time_type),  # when the last of its pages or errors was written
    Column("warnings", JSONB, nullable=False, server_default="{}"),  # by code: {"count": ..., "message": the first}
    Column("reading", JSONB, nullable=False, server_default="{}"),  # how its lists are read: by the way, the reason
    Column("has_paged", Boolean, nullable=False, server_default=text("false")),  # a page has led to a next one
    Column("previous_run_date", time_type),  # the lower bound of the resource's increment
    # That of the next run's where an unread page holds it back, the year 1 for everything; null is this run's end.
    Column("next_run_date", time_type),
    # A request could not be made of a record or of an argument, which no resume mends.
    Column("has_gaps", Boolean, nullable=False, server_default=text("false")),
    # What its records are known by from now on, and were before; null where that is the same.
    Column("rekeying", JSONB),
    Column("started_at", time_type),
    Column("finished_at", time_type),
    UniqueConstraint("run_id", "name", name="run_resource_name"),
    known_statuses(ResourceStatus, "run_resource_status"),
    # Counters move with every page: room on the page keeps those updates in place (HOT).
    postgresql_with={"fillfactor": "70"},
)

unit = Table(
    "unit",
    metadata,
    id_column(),
    Column("run_id", uuid_type, ForeignKey("sync_job_run.id", ondelete="CASCADE"), nullable=False),
    Column("resource_id", uuid_type, ForeignKey("run_resource.id", ondelete="CASCADE"), nullable=True),
    # 'fetch': elements of one resource; 'delivery': the run's events to its webhook, in order.
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("elements", JSONB, nullable=False, server_default="[]"),  # what each request binds: parents, loop value
    Column("frontier", JSONB, nullable=False, server_default="{}"),  # which elements are done, and open cursors
    Column("lease_owner", uuid_type),
    Column("lease_expires_at", time_type),
    Column("fencing_token", BigInteger, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),  # claims since the last committed page
    Column("slices", Integer, nullable=False, server_default="0"),
    Column("idle_slices", Integer, nullable=False, server_default="0"),  # in a row, without a committed page
    Column("pages", BigInteger, nullable=False, server_default="0"),
    Column("wake_at", time_type),
    # When it was worked on (store/units/spells.py): the spell under way, and the newest of those that ended.
    Column("held_since", time_type),
    Column("worked", JSONB, nullable=False, server_default="[]"),
    Column("rung_at", time_type, nullable=False, server_default=func.now()),
    # Where a delivery unit's lease counts; of one that is ready, where it waits for its turn.
    Column("webhook_id", uuid_type),
    *times(),
    known_statuses(UnitStatus, "unit_status"),
    Index("unit_by_run", "run_id", "status"),
    Index("unit_by_resource", "resource_id", "status"),
    # The sweeper's three questions (units.py), a sliver of the table each.
    Index("unit_parked", "wake_at", postgresql_where=text(f"status = '{UnitStatus.READY}' and rung_at < wake_at")),
    Index(
        "unit_unheard",
        "rung_at",
        postgresql_where=text(f"status = '{UnitStatus.READY}' and (wake_at is null or wake_at <= rung_at)"),
    ),
    # Not by lease_expires_at, which moves with every page: an index on it would cost each page an index entry.
    Index("unit_leased", "rung_at", postgresql_where=text(f"status = '{UnitStatus.LEASED}'")),
    Index(
        "unit_of_webhook",
        "webhook_id",
        "status",
        postgresql_where=text(
            f"kind = 'delivery' and status in {any_of(ACTIVE_UNIT_STATUSES)} and webhook_id is not null"
        ),
    ),
    postgresql_with={"fillfactor": "70"},
)

# The batches that a spool gathers, until it passes them on as one.
spool_batch = Table(
    "spool_batch",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("resource_id", uuid_type, ForeignKey("run_resource.id", ondelete="CASCADE"), nullable=False),
    Column("closed_as", uuid_type),  # what the spool's unit passes on together; null while more may come
    Column("bytes", Integer, nullable=False),
    Column("records", LargeBinary, nullable=False),  # a JSON array
    Index("spool_batch_by_resource", "resource_id", "id"),
    Index("spool_batch_closed", "closed_as", "id"),
)

run_error = Table(
    "run_error",
    metadata,
    id_column(),
    Column("run_id", uuid_type, ForeignKey("sync_job_run.id", ondelete="CASCADE"), nullable=False),
    Column("environment_id", uuid_type),  # that of its run
    Column("resource", Text),
    Column("method", Text),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("details", JSONB, nullable=False, server_default="{}"),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Index("run_error_page", "run_id", "created_at", "id"),
    Index("run_error_log", "environment_id", "created_at", "id"),
    Index("run_error_by_code", "environment_id", "code", "run_id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("task", Text, nullable=False),
    Column("args", JSONB, nullable=False),  # ids only
    Column("queue", Text, nullable=False),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    environment_column(),
    Column("key", Text, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column("run_id", uuid_type, nullable=False),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("environment_id", "key"),
    Index("idempotency_key_age", "created_at"),
)
