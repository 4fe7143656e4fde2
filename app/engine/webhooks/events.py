"""Webhook events (docs/wire.md D): their names, their envelope, their payloads, and record batches cut to a size."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from app.engine.errors import Failure
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.runs import SyncJobRun, show_run
from app.engine.objects.triggers import DueTrigger
from app.engine.objects.webhooks import Webhook
from app.engine.records.outcomes import Change
from app.engine.records.rows import encode
from app.engine.runs.work import ErrorDraft, EventDraft
from app.engine.schemas.changes import SchemaChange, show_change
from app.engine.schemas.columns import ResourceSchema
from app.engine.status import RunStatus
from app.engine.times import format_utc, format_utc_or_none

UPDATED = "sync_job_run:updated"
STARTED = "sync_job_run:started"
RECORD = "sync_job_run:record"
RECORD_ERROR = "sync_job_run:record_error"
RATE_LIMITED = "sync_job_run:rate_limited"
COMPLETED = "sync_job_run:completed"
FAILED = "sync_job_run:failed"
WEBHOOK_DISABLED = "webhook:disabled"
AUTHENTICATION_ERROR = "integrated_account:authentication_error"
TEST = "test"
CREATED = "sync_job_run:created"
DELETED = "sync_job_run:deleted"

OF_RUNS = (CREATED, UPDATED, STARTED, RECORD, RECORD_ERROR, RATE_LIMITED, COMPLETED, FAILED, DELETED)
"""What ``events_to_send`` of a run may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Which resource of a run records come from."""

    run: SyncJobRun
    resource: str
    method: str
    resource_id: str | None
    """Its row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What every event of one run and webhook carries."""

    environment_id: str
    webhook_id: str
    created_at: datetime


def check_events(chosen: Sequence[str] | None) -> list[Failure]:
    """Return the failures of ``events_to_send``: names that are no event of a run."""
    return [
        Failure(f"events_to_send[{position}]", f"'{name}' is no event of a run: expected one of {', '.join(OF_RUNS)}")
        for position, name in enumerate(chosen or ())
        if name not in OF_RUNS
    ]


def is_sent(run: SyncJobRun, name: str) -> bool:
    """Whether the run's webhook gets events of this name."""
    return run.webhook_id is not None and (run.events_to_send is None or name in run.events_to_send)


def draft_webhook_disabled(webhook: Webhook, reason: str, *, to: Sequence[str], at: datetime) -> list[EventDraft]:
    """Draft for other webhooks of the environment that one was disabled."""
    payload = {"id": webhook.id, "target_url": webhook.target_url, "disabled_reason": reason}
    return draft_for_each(to, WEBHOOK_DISABLED, payload, environment_id=webhook.environment_id, at=at)


def draft_authentication_error(
    account: IntegratedAccount, reason: str, *, to: Sequence[str], at: datetime
) -> list[EventDraft]:
    """Draft for webhooks that an account has to be reconnected."""
    payload = {**build_account_payload(account), "last_error": reason}
    return draft_for_each(to, AUTHENTICATION_ERROR, payload, environment_id=account.environment_id, at=at)


def build_account_payload(account: IntegratedAccount) -> JsonObject:
    """Return what an event shows of an account: no credentials."""
    return {
        "id": account.id,
        "tenant_id": account.tenant_id,
        "integration_id": account.integration_id,
        "integration_name": account.integration_name,
        "authentication_method": account.authentication_method,
        "status": account.status,
        "last_error": account.last_error,
    }


def draft_for_each(
    webhook_ids: Sequence[str], name: str, payload: JsonObject, *, environment_id: str, at: datetime
) -> list[EventDraft]:
    """Make the same event for several webhooks."""
    envelopes = [Envelope(environment_id=environment_id, webhook_id=id, created_at=at) for id in webhook_ids]
    return [draft_event(envelope, id=new_id(), event=name, payload=payload) for envelope in envelopes]


def draft_event(
    envelope: Envelope,
    *,
    id: str,
    event: str,
    payload: JsonObject,
    resource_id: str | None = None,
    records: int = 0,
) -> EventDraft:
    """Make one event with the exact bytes that are signed and sent."""
    body = {
        "id": id,
        "event": event,
        "payload": payload,
        "environment_id": envelope.environment_id,
        "webhook_id": envelope.webhook_id,
        "created_at": format_utc(envelope.created_at),
    }
    return EventDraft(
        id=id, webhook_id=envelope.webhook_id, event=event, body=encode(body), resource_id=resource_id, records=records
    )


def number_batch(batch: EventDraft, account_id: str, sequence: int, previous: int | None) -> EventDraft:
    """Set a batch's number in its account's log, and that of the batch before it to the same webhook.

    A receiver whose last number is not ``previous_sequence`` has missed something: ``GET /record?after_seq=`` has it.
    """
    assert batch.body.endswith(b"}")
    numbers = encode({"previous_sequence": previous, "sequence": sequence})
    return replace(
        batch,
        body=batch.body[:-1] + b"," + numbers[1:],
        integrated_account_id=account_id,
        log_sequence=sequence,
        previous_log_sequence=previous,
    )


def build_run_payload(run: JsonObject) -> JsonObject:
    """Return the payload of a lifecycle event: the run as the API shows it, without the embedded job."""
    return {name: value for name, value in run.items() if name != "sync_job"}


def draft_lifecycle(run: SyncJobRun, name: str, envelope: Envelope) -> EventDraft:
    """Draft an event with the present state of a run."""
    return draft_event(envelope, id=new_id(), event=name, payload=build_run_payload(show_run(run)))


def build_rate_limited_payload(run: SyncJobRun, *, resource: str, method: str, retry_after_seconds: int) -> JsonObject:
    """Return the payload of a run that waits for its upstream's rate limit; the camel case is the wire's."""
    return {
        "id": run.id,
        "status": RunStatus.RATE_LIMITED,
        "resource": resource,
        "method": method,
        "retryAfter": retry_after_seconds,
    }


def build_record_payload(
    origin: Origin, records: Sequence[JSON], change: Change | None = None, ids: Sequence[str] | None = None
) -> JsonObject:
    """Return the payload of one batch of records; ``change`` is what became of all of them.

    ``ids`` are what the records are known by, where that is not their field ``id``.
    """
    meta: JsonObject = {} if change is None else {"change": change}
    meta |= {} if ids is None else {"ids": list(ids)}
    return {**_name_origin(origin.run, origin.resource, origin.method), "records": list(records), "meta": meta}


def draft_changes(
    envelope: Envelope,
    origin: Origin,
    change: Change,
    records: Mapping[str, JSON],
    *,
    limit_bytes: int,
    shows_ids: bool = False,
) -> list[EventDraft]:
    """Draft events of records, by id, that have changed in the same way."""
    following = iter(records)
    drafts: list[EventDraft] = []
    for batch in split_batches(list(records.values()), limit_bytes=limit_bytes):
        ids = [next(following) for _ in batch]
        draft = draft_event(
            envelope,
            id=new_id(),
            event=RECORD,
            payload=build_record_payload(origin, batch, change, ids if shows_ids else None),
            resource_id=origin.resource_id,
            records=len(batch),
        )
        drafts.append(replace(draft, remote_ids=ids))
    return drafts


def build_error_payload(run: SyncJobRun, errors: Sequence[ErrorDraft], *, as_batch: bool) -> JsonObject:
    """Return the payload of one error, or of a batch of errors of one resource."""
    shown = [{"error": error.code, "message": error.message, **error.details} for error in errors]
    first = errors[0]
    payload = {**_name_origin(run, first.resource, first.method), "args": run.args}
    return {**payload, "errors": shown} if as_batch else {**payload, "error": shown[0]}


def split_batches(records: Sequence[JSON], *, limit_bytes: int) -> Iterator[list[JSON]]:
    """Split records into batches whose JSON stays under a size; a record that is larger has a batch of its own."""
    batch: list[JSON] = []
    size = 0
    for record in records:
        record_size = len(encode(record)) + 1
        if batch and size + record_size > limit_bytes:
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += record_size
    if batch:
        yield batch


def _name_origin(run: SyncJobRun, resource: str | None, method: str | None) -> JsonObject:
    return {
        "sync_job_run_id": run.id,
        "sync_job_id": run.sync_job_id,
        "integrated_account_id": run.integrated_account_id,
        "resource": resource,
        "method": method,
    }


TRIGGER_FAILED: Final = "sync_job_cron_trigger:failed"
REACTIVATED: Final = "integrated_account:reactivated"
SCHEMA_CHANGED: Final = "schema:changed"


def draft_trigger_failed(
    due: DueTrigger, error: str, *, next_run_at: datetime | None, to: Sequence[str]
) -> list[EventDraft]:
    """Draft for webhooks that a trigger's due time has created no run."""
    trigger = due.trigger
    payload = {
        "id": trigger.id,
        "sync_job_id": trigger.sync_job_id,
        "integrated_account_id": trigger.integrated_account_id,
        "cron_expression": trigger.cron_expression,
        "timezone": trigger.timezone,
        "args": trigger.args,
        "due_at": format_utc(due.due_at),
        "next_run_at": format_utc_or_none(next_run_at),
        "error": error,
    }
    return draft_for_each(to, TRIGGER_FAILED, payload, environment_id=trigger.environment_id, at=due.now)


def draft_schema_changed(
    schema: ResourceSchema, changes: Sequence[SchemaChange], *, to: Sequence[str], at: datetime
) -> list[EventDraft]:
    """Draft for webhooks that a resource's schema has changed."""
    payload = {
        "integration_name": schema.integration_name,
        "resource": schema.resource,
        "changes": [show_change(change) for change in changes],
    }
    return draft_for_each(to, SCHEMA_CHANGED, payload, environment_id=schema.environment_id, at=at)


def draft_run_event(run: SyncJobRun, event: str, *, to: Sequence[str], at: datetime) -> list[EventDraft]:
    """Draft a run's event for webhooks that are not its own."""
    return draft_for_each(to, event, build_run_payload(show_run(run)), environment_id=run.environment_id, at=at)


def draft_run_deleted(run: SyncJobRun, *, to: Sequence[str], at: datetime) -> list[EventDraft]:
    """Draft for webhooks that a run was deleted, but not for its own where ``events_to_send`` leaves it out."""
    receivers = [id for id in to if id != run.webhook_id or is_sent(run, DELETED)]
    return draft_for_each(receivers, DELETED, {"id": run.id}, environment_id=run.environment_id, at=at)


def draft_reactivated(account: IntegratedAccount, *, to: Sequence[str], at: datetime) -> list[EventDraft]:
    """Draft for webhooks that an account which had to be reconnected has new credentials."""
    payload = build_account_payload(account)
    return draft_for_each(to, REACTIVATED, payload, environment_id=account.environment_id, at=at)
