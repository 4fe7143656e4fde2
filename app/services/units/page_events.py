"""What the webhook of a run is told of its pages: records, changes and errors, as events."""

from collections.abc import Sequence
from dataclasses import replace

from app.engine.ids import new_id
from app.engine.jobs.items import ResourceItem
from app.engine.json_types import JSON
from app.engine.records.outcomes import Change
from app.engine.records.rows import embed_encoded
from app.engine.runs.work import Changes, ErrorDraft, EventDraft
from app.engine.status import ErrorHandling
from app.engine.webhooks import events
from app.services.contexts.context import RunContext
from app.services.ports import Clock
from app.services.units.page_identity import PageIdentity


class PageEvents:
    """Makes the events of one unit's pages."""

    def __init__(
        self, context: RunContext, item: ResourceItem, resource_id: str | None, *, identity: PageIdentity, clock: Clock
    ) -> None:
        self._identity = identity
        self._context = context
        self._run = context.run
        self._item = item
        self._origin = events.Origin(
            run=context.run, resource=item.resource, method=item.method, resource_id=resource_id
        )
        self._clock = clock

    @property
    def are_records_sent(self) -> bool:
        """Whether the webhook gets every record."""
        return events.is_sent(self._run, events.RECORD) and not self._run.changes_only

    @property
    def are_changes_sent(self) -> bool:
        """Whether the webhook gets the records that have changed."""
        return events.is_sent(self._run, events.RECORD) and self._run.changes_only

    def of_records(self, records: Sequence[JSON], *, limit_bytes: int) -> list[EventDraft]:
        """Return of every record."""
        if not self.are_records_sent or not records:
            return []
        envelope = self._context.envelope(self._clock)
        return [
            events.draft_event(
                envelope,
                id=new_id(),
                event=events.RECORD,
                payload=events.build_record_payload(self._origin, batch, ids=self._identity.ids(batch)),
                resource_id=self._origin.resource_id,
                records=len(batch),
            )
            for batch in events.split_batches(records, limit_bytes=limit_bytes)
        ]

    def of_deleted(self, ids: Sequence[str], *, limit_bytes: int) -> list[EventDraft]:
        """Return of every record that the upstream told as deleted, by its id alone."""
        if not self.are_records_sent or not ids:
            return []
        drafts = self._deletions(self._context.envelope(self._clock), ids, limit_bytes=limit_bytes)
        # Nobody keeps what this webhook was told.
        return [replace(draft, remote_ids=None) for draft in drafts]

    def changes_of(self, records: Sequence[JSON], deleted: Sequence[str], *, limit_bytes: int) -> Changes | None:
        """Return the records to compare with what the webhook was told, and how to tell it of the difference."""
        if not self.are_changes_sent or not (records or deleted):
            return None
        batch = self._identity.batch(records)
        envelope = self._context.envelope(self._clock)

        def tell(change: Change, ids: Sequence[str]) -> Sequence[EventDraft]:
            if change is Change.DELETED:
                return self._deletions(envelope, ids, limit_bytes=limit_bytes)
            told = {row.remote_id: embed_encoded(row.data) for row in batch.rows(ids)}
            shows_ids = self._identity.shows_ids
            return events.draft_changes(
                envelope, self._origin, change, told, limit_bytes=limit_bytes, shows_ids=shows_ids
            )

        return Changes(webhook_id=envelope.webhook_id, records=batch, deleted=deleted, tell=tell)

    def _deletions(self, envelope: events.Envelope, ids: Sequence[str], *, limit_bytes: int) -> list[EventDraft]:
        told = {remote_id: {"id": remote_id} for remote_id in ids}
        return events.draft_changes(envelope, self._origin, Change.DELETED, told, limit_bytes=limit_bytes)

    def of_errors(self, errors: Sequence[ErrorDraft]) -> list[EventDraft]:
        """Return of errors, one by one or those of a resource together."""
        if not errors or not events.is_sent(self._run, events.RECORD_ERROR):
            return []
        envelope = self._context.envelope(self._clock)
        as_batch = self._run.error_handling is ErrorHandling.BATCH
        groups = _by_resource(errors) if as_batch else [[error] for error in errors]
        return [
            events.draft_event(
                envelope,
                id=new_id(),
                event=events.RECORD_ERROR,
                payload=events.build_error_payload(self._run, group, as_batch=as_batch),
            )
            for group in groups
        ]


def _by_resource(errors: Sequence[ErrorDraft]) -> Sequence[Sequence[ErrorDraft]]:
    """Part the errors of a write: one of a child's loop comes with the pages of its parent."""
    parted: dict[str | None, list[ErrorDraft]] = {}
    for error in errors:
        parted.setdefault(error.resource, []).append(error)
    return list(parted.values())
