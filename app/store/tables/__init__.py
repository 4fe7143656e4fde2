"""Every table, as SQLAlchemy Core; migrations/ makes the same in the database.

Ids are UUIDs made by the application. Times are ``timestamptz``. ``*_encrypted`` columns hold what
app/store/secrets/encryption.py sealed.
"""

from app.store.tables.audit import audit_entry, run_start
from app.store.tables.base import metadata
from app.store.tables.bulk_actions import bulk_action, bulk_action_run
from app.store.tables.calls import direct_call
from app.store.tables.catalog import (
    api_token,
    encryption_key,
    environment,
    environment_integration,
    integrated_account,
    integration,
    refused_seal,
    sync_job,
    tenant,
    webhook,
)
from app.store.tables.dashboard import dashboard_session, sign_in_code
from app.store.tables.deliveries import delivery, webhook_record
from app.store.tables.destinations import datastore, destination, destination_cursor, destination_quarantine
from app.store.tables.erasures import deleted_account, erasure
from app.store.tables.notifications import (
    incident,
    notification,
    notification_destination,
    notification_rule,
    notification_watermark,
)
from app.store.tables.online_migrations import online_migration
from app.store.tables.records import account_log, record, record_count, record_key, record_seen
from app.store.tables.runs import (
    COUNTERS,
    daemon,
    idempotency_key,
    outbox,
    run_error,
    run_resource,
    spool_batch,
    sync_job_run,
    unit,
)
from app.store.tables.scheduled import (
    cron_trigger_fire,
    sync_job_cron_trigger,
    sync_job_run_state,
    sync_job_template,
)
from app.store.tables.schemas import environment_reader, resource_schema, resource_schema_change, schema_cursor
from app.store.tables.unified import environment_unified_model, unified_model, unified_model_method

__all__ = [
    "COUNTERS",
    "account_log",
    "api_token",
    "audit_entry",
    "bulk_action",
    "bulk_action_run",
    "cron_trigger_fire",
    "daemon",
    "dashboard_session",
    "datastore",
    "deleted_account",
    "delivery",
    "destination",
    "destination_cursor",
    "destination_quarantine",
    "direct_call",
    "encryption_key",
    "environment",
    "environment_integration",
    "environment_reader",
    "environment_unified_model",
    "erasure",
    "idempotency_key",
    "incident",
    "integrated_account",
    "integration",
    "metadata",
    "notification",
    "notification_destination",
    "notification_rule",
    "notification_watermark",
    "online_migration",
    "outbox",
    "record",
    "record_count",
    "record_key",
    "record_seen",
    "refused_seal",
    "resource_schema",
    "resource_schema_change",
    "run_error",
    "run_resource",
    "run_start",
    "schema_cursor",
    "sign_in_code",
    "spool_batch",
    "sync_job",
    "sync_job_cron_trigger",
    "sync_job_run",
    "sync_job_run_state",
    "sync_job_template",
    "tenant",
    "unified_model",
    "unified_model_method",
    "unit",
    "webhook",
    "webhook_record",
]
