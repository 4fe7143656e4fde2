"""Webhook events (docs/wire.md D): their envelope, their payloads, and record batches cut to a size."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.engine.errors import Failure
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.objects import IntegratedAccount, SyncJobRun, Webhook
from app.engine.objects.run_view import run_view
from app.engine.records.changes import Change
from app.engine.records.rows import encode
from app.engine.runs.work import ErrorDraft, EventDraft
from app.engine.status import RunStatus
from app.engine.times import iso_utc

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
"""What a run may be told to send."""


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


def choice_failures(chosen: Sequence[str] | None) -> list[Failure]:
    """Return which of the events that a run is told to send are none."""
    return [
        Failure(f"events_to_send[{position}]", f"'{name}' is no event of a run: expected one of {', '.join(OF_RUNS)}")
        for position, name in enumerate(chosen or ())
        if name not in OF_RUNS
    ]


def is_sent(run: SyncJobRun, name: str) -> bool:
    """Whether the run's webhook gets events of this name."""
    return run.webhook_id is not None and (run.events_to_send is None or name in run.events_to_send)


def webhook_disabled(webhook: Webhook, reason: str, *, to: Sequence[str], at: datetime) -> list[EventDraft]:
    """Return other webhooks of the environment that one was disabled."""
    payload = {"id": webhook.id, "target_url": webhook.target_url, "disabled_reason": reason}
    return to_each(to, WEBHOOK_DISABLED, payload, environment_id=webhook.environment_id, at=at)


def authentication_error(
    account: IntegratedAccount, reason: str, *, to: Sequence[str], at: datetime
) -> list[EventDraft]:
    """Return webhooks that an account has to be connected anew."""
    payload = {**account_payload(account), "last_error": reason}
    return to_each(to, AUTHENTICATION_ERROR, payload, environment_id=account.environment_id, at=at)


def account_payload(account: IntegratedAccount) -> JsonObject:
    """Return what may be told of an account: no credentials."""
    return {
        "id": account.id,
        "tenant_id": account.tenant_id,
        "integration_id": account.integration_id,
        "integration_name": account.integration_name,
        "authentication_method": account.authentication_method,
        "status": account.status,
        "last_error": account.last_error,
    }


def to_each(
    webhook_ids: Sequence[str], name: str, payload: JsonObject, *, environment_id: str, at: datetime
) -> list[EventDraft]:
    """Make the same event for several webhooks."""
    envelopes = [Envelope(environment_id=environment_id, webhook_id=id, created_at=at) for id in webhook_ids]
    return [event(envelope, id=new_id(), event=name, payload=payload) for envelope in envelopes]


def event(
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
        "created_at": iso_utc(envelope.created_at),
    }
    return EventDraft(
        id=id, webhook_id=envelope.webhook_id, event=event, body=encode(body), resource_id=resource_id, records=records
    )


def numbered(batch: EventDraft, account_id: str, sequence: int, previous: int | None) -> EventDraft:
    """Return a batch of records its number in its account's log, and that of the batch before it to the same webhook.

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


def run_payload(run: JsonObject) -> JsonObject:
    """Return the payload of a lifecycle event: the run as the API shows it, without the embedded job."""
    return {name: value for name, value in run.items() if name != "sync_job"}


def lifecycle(run: SyncJobRun, name: str, envelope: Envelope) -> EventDraft:
    """Make an event that tells of a run as it is now."""
    return event(envelope, id=new_id(), event=name, payload=run_payload(run_view(run)))


def rate_limited_payload(run: SyncJobRun, *, resource: str, method: str, retry_after_seconds: int) -> JsonObject:
    """Return the payload of a run that waits for its upstream's rate limit; the camel case is the wire's."""
    return {
        "id": run.id,
        "status": RunStatus.RATE_LIMITED,
        "resource": resource,
        "method": method,
        "retryAfter": retry_after_seconds,
    }


def record_payload(
    origin: Origin, records: Sequence[JSON], change: Change | None = None, ids: Sequence[str] | None = None
) -> JsonObject:
    """Return the payload of one batch of records; ``change`` is what became of all of them.

    ``ids`` are what the records are known by, where that is not their field ``id``.
    """
    meta: JsonObject = {} if change is None else {"change": change}
    meta |= {} if ids is None else {"ids": list(ids)}
    return {**_origin(origin.run, origin.resource, origin.method), "records": list(records), "meta": meta}


def changes(
    envelope: Envelope,
    origin: Origin,
    change: Change,
    told: Mapping[str, JSON],
    *,
    limit_bytes: int,
    shows_ids: bool = False,
) -> list[EventDraft]:
    """Return of records, by id, that have changed in the same way."""
    following = iter(told)
    drafts: list[EventDraft] = []
    for batch in batches(list(told.values()), limit_bytes=limit_bytes):
        ids = [next(following) for _ in batch]
        draft = event(
            envelope,
            id=new_id(),
            event=RECORD,
            payload=record_payload(origin, batch, change, ids if shows_ids else None),
            resource_id=origin.resource_id,
            records=len(batch),
        )
        drafts.append(replace(draft, remote_ids=ids))
    return drafts


def error_payload(run: SyncJobRun, errors: Sequence[ErrorDraft], *, as_batch: bool) -> JsonObject:
    """Return the payload of one error, or of a batch of errors of one resource."""
    shown = [{"error": error.code, "message": error.message, **error.details} for error in errors]
    first = errors[0]
    payload = {**_origin(run, first.resource, first.method), "args": run.args}
    return {**payload, "errors": shown} if as_batch else {**payload, "error": shown[0]}


def batches(records: Sequence[JSON], *, limit_bytes: int) -> Iterator[list[JSON]]:
    """Cut records into batches whose JSON stays under a size; a record that is larger by itself travels alone."""
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


def _origin(run: SyncJobRun, resource: str | None, method: str | None) -> JsonObject:
    return {
        "sync_job_run_id": run.id,
        "sync_job_id": run.sync_job_id,
        "integrated_account_id": run.integrated_account_id,
        "resource": resource,
        "method": method,
    }
