"""The records of a unit's pages: what they are known by, what is odd about it, and the events about them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property

from app.engine.ids import new_id
from app.engine.jobs import item_keys, parent_fields, scope
from app.engine.jobs.items import ResourceItem
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import IdPathError
from app.engine.records import told_deletions
from app.engine.records.keys import BY_ID, RecordKey
from app.engine.records.outcomes import Change, PageWarning
from app.engine.records.rows import RecordBatch, embed_encoded, make_row
from app.engine.records.told_deletions import Resolved
from app.engine.runs.work import Changes, ErrorDraft, EventDraft
from app.engine.status import ErrorHandling
from app.engine.webhooks import events
from app.services.contexts.context import RunContext
from app.services.ports import Clock, FetchedPage


class PageRecords:
    """Puts the fields of parents into records, watches over their ids, and drafts the events of one write."""

    def __init__(
        self, context: RunContext, item: ResourceItem, resource_id: str | None, *, clock: Clock, limit_bytes: int
    ) -> None:
        """``limit_bytes`` bounds the body of one event."""
        self._context = context
        self._run = context.run
        self._item = item
        self._origin = events.Origin(
            run=context.run, resource=item.resource, method=item.method, resource_id=resource_id
        )
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._rekeying = context.rekeyings.get(item.name)
        self._positions: list[tuple[int, int]] = []
        self._elements: list[scope.Element] = []
        self._given: Sequence[JSON] = ()
        self._former_ids: dict[str, None] = {}
        self.warnings: list[PageWarning] = []

    @cached_property
    def _key(self) -> RecordKey:
        """Raises SourceError for a method that the integration does not have, of which there are no records."""
        return self._context.key_of(self._item)

    def with_parents(self, element: scope.Element, page: FetchedPage) -> tuple[FetchedPage, JsonObject]:
        """Return the page with the fields that its records have from their parents, and these fields."""
        if not self._item.included:
            return page, {}
        seen = scope.build_element_scope(self._item, self._context.plan, element, self._context.scope_of(self._item))
        values = parent_fields.read_values(self._item, element, seen)
        if not values:
            return page, values
        if self._item.is_request:
            self.warnings += parent_fields.warn_of_replaced(page.records, values)
        records = parent_fields.include_values(page.records, values, self._key)
        # How long the integers are that its records have got, the page's body does not show.
        return replace(page, records=records, has_short_integers=False), values

    @property
    def former_ids(self) -> Sequence[str]:
        """What the records were known by before they have got another key, deleted ones included."""
        return list(self._former_ids)

    @property
    def is_rekeying(self) -> bool:
        """Whether the run knows its records by another key than they are held by."""
        return self._rekeying is not None

    @property
    def collision(self) -> PageWarning | None:
        """What warns of a record that takes the place of another one of the run; None where none can."""
        if not self._item.persist or not item_keys.may_collide(self._item, self._context.plan):
            return None
        return item_keys.warn_of_collisions(self._key, 1) if self._key.paths else None

    @property
    def counts_repeats(self) -> bool:
        """Whether a record that the run has written before can only have come again."""
        return not item_keys.is_shared(self._item, self._context.plan)

    def find_fault(self, records: Sequence[JSON]) -> IdPathError | None:
        """Return what is wrong with a list when none of its first records has the id that its method's config names.

        A list whose ids are not kept, which may be sent as it is, leads to a warning only.
        """
        if not records or not self._key.paths or item_keys.has_ids(records, self._key):
            return None
        if self._key.is_declared:
            return IdPathError(
                f"no record of the first page has an id: {item_keys.explain_missing_id(records[0], self._key)}"
            )
        if self._run.webhook_id and not self._run.changes_only:
            self.warnings.append(item_keys.warn_of_missing_ids(records, self._key, count=len(records)))
        return None

    def mark_element(self, element: scope.Element, position: int) -> None:
        """Remember for which element the records from this position on have come."""
        if self._elements and self._elements[-1] is element:
            return
        origin = next((number for number, one in enumerate(self._elements) if one is element), len(self._elements))
        self._elements.append(element)
        self._positions.append((position, origin))

    def resolve(self, records: Sequence[JSON], deleted: Sequence[tuple[int, JSON]]) -> Resolved:
        """Decide by their ids which of a write's living and deleted records count."""
        self._given = records
        if not deleted:
            return Resolved(living=records)
        gone = [record for _, record in deleted]
        if self._key.paths and (count := RecordBatch(gone, self._key).without_id):
            self.warnings.append(item_keys.warn_of_missing_ids(gone, self._key, count=count))
        self._keep_former_ids(gone)
        return told_deletions.resolve_deletions(records, deleted, self._key)

    def batch(self, records: Sequence[JSON]) -> RecordBatch:
        """Return records that are kept, or compared, by their ids."""
        batch = RecordBatch(records, self._key)
        if batch.without_id and self._key.paths:
            self.warnings.append(item_keys.warn_of_missing_ids(records, self._key, count=batch.without_id))
        if len(self._given) > len(batch) and len(self._positions) > 1:
            # Elements are known by the places of all records that came, whichever were deleted since.
            count = item_keys.count_collisions(self._given, self._key, self._positions)
            self.warnings += [item_keys.warn_of_collisions(self._key, count)] if count else []
        self._keep_former_ids(records)
        return batch

    def _keep_former_ids(self, records: Iterable[JSON]) -> None:
        if self._rekeying is not None:
            former = (make_row(record, key).remote_id for record in records for key in self._rekeying.former)
            self._former_ids.update(dict.fromkeys(former))

    @property
    def _are_records_sent(self) -> bool:
        """Whether the webhook gets every record."""
        return events.is_sent(self._run, events.RECORD) and not self._run.changes_only

    @property
    def _shows_ids(self) -> bool:
        """Whether events have to name their records' ids, which are not their field ``id``."""
        return self._key.name != BY_ID.name

    def draft_records(self, records: Sequence[JSON]) -> list[EventDraft]:
        """Return the events with every record."""
        if not self._are_records_sent or not records:
            return []
        envelope = self._context.envelope(self._clock)
        return [
            events.draft_event(
                envelope,
                id=new_id(),
                event=events.RECORD,
                payload=events.build_record_payload(self._origin, batch, ids=self._list_ids(batch)),
                resource_id=self._origin.resource_id,
                records=len(batch),
            )
            for batch in events.split_batches(records, limit_bytes=self._limit_bytes)
        ]

    def _list_ids(self, records: Sequence[JSON]) -> list[str] | None:
        return [make_row(record, self._key).remote_id for record in records] if self._shows_ids else None

    def draft_deletions(self, ids: Sequence[str]) -> list[EventDraft]:
        """Return the events about records that the upstream shows as deleted, by their ids alone."""
        if not self._are_records_sent or not ids:
            return []
        # What such a webhook has received is kept nowhere.
        return [
            replace(draft, remote_ids=None) for draft in self._build_deletions(self._context.envelope(self._clock), ids)
        ]

    def find_changes(self, records: Sequence[JSON], deleted: Sequence[str]) -> Changes | None:
        """Return the records to compare with what the webhook has received, and what makes events of the difference."""
        is_sent = events.is_sent(self._run, events.RECORD) and self._run.changes_only
        if not is_sent or not (records or deleted):
            return None
        batch = self.batch(records)
        envelope = self._context.envelope(self._clock)

        def draft(change: Change, ids: Sequence[str]) -> Sequence[EventDraft]:
            if change is Change.DELETED:
                return self._build_deletions(envelope, ids)
            changed = {row.remote_id: embed_encoded(row.data) for row in batch.rows(ids)}
            return events.draft_changes(
                envelope, self._origin, change, changed, limit_bytes=self._limit_bytes, shows_ids=self._shows_ids
            )

        return Changes(webhook_id=envelope.webhook_id, records=batch, deleted=deleted, draft=draft)

    def _build_deletions(self, envelope: events.Envelope, ids: Sequence[str]) -> list[EventDraft]:
        deleted = {remote_id: {"id": remote_id} for remote_id in ids}
        return events.draft_changes(envelope, self._origin, Change.DELETED, deleted, limit_bytes=self._limit_bytes)

    def draft_errors(self, errors: Sequence[ErrorDraft]) -> list[EventDraft]:
        """Return the events about errors, one by one or those of a resource together."""
        if not errors or not events.is_sent(self._run, events.RECORD_ERROR):
            return []
        envelope = self._context.envelope(self._clock)
        as_batch = self._run.error_handling is ErrorHandling.BATCH
        groups: dict[object, list[ErrorDraft]] = {}
        for error in errors:
            # An error of a child's loop comes with the pages of its parent.
            groups.setdefault(error.resource if as_batch else error.id, []).append(error)
        payloads = [events.build_error_payload(self._run, group, as_batch=as_batch) for group in groups.values()]
        return [
            events.draft_event(envelope, id=new_id(), event=events.RECORD_ERROR, payload=payload)
            for payload in payloads
        ]
