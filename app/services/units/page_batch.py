"""Gather the pages and errors of one write: records become rows or events, parents become units for their children."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from app.engine.jobs import parent_fields, scope
from app.engine.jobs.items import NodeKind, ResourceItem
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import RecordError, SourceError
from app.engine.records import told_deletions
from app.engine.records.outcomes import PageWarning
from app.engine.records.rows import RecordBatch, encode
from app.engine.records.told_deletions import Resolved
from app.engine.redaction import redact
from app.engine.runs.books import Counters
from app.engine.runs.frontier import Frontier
from app.engine.runs.settling import Exchanges
from app.engine.runs.work import (
    Claim,
    ErrorDraft,
    EventDraft,
    GatheredBatch,
    PageWrite,
    UnitDraft,
    cut_into_units,
    draft_error,
)
from app.engine.status import UnitStatus
from app.services.contexts.context import RunContext
from app.services.ports import Clock, FetchedPage, PageCall
from app.services.units.page_events import PageEvents
from app.services.units.page_identity import PageIdentity
from app.settings import Settings


class PageBatch:
    """The changes of a few pages of one unit, on their way to one transaction."""

    def __init__(
        self, claim: Claim, context: RunContext, item: ResourceItem, *, settings: Settings, clock: Clock
    ) -> None:
        self._claim = claim
        self._context = context
        self._item = item
        self._settings = settings
        self._clock = clock
        self._identity = PageIdentity(context, item)
        self._events = PageEvents(context, item, claim.resource_id, identity=self._identity, clock=clock)
        self._records: list[JSON] = []
        self._deleted: list[tuple[int, JSON]] = []
        self._children: dict[str, list[scope.Element]] = {child.name: [] for child in (*self._requested_children, item)}
        self._batches: dict[str, list[scope.Element]] = {child.name: [] for child in self._batch_children}
        self._skipped: Counter[str] = Counter()
        self._child_errors: Counter[str] = Counter()
        self._given_on: list[str] = []
        self._server_date: datetime | None = None
        self._pages = 0
        self._fetched = 0
        self._quarantined = 0
        self._unproven = 0
        self._expected: int | None = None
        self._has_paged = False
        self.exchanges = Exchanges()
        self._warnings: list[PageWarning] = []
        self._has_progress = False
        self._has_gaps = False
        self.errors: list[ErrorDraft] = []
        self.failures: list[tuple[scope.Element, RecordError]] = []
        """The requests that failed."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self._pages and not self.errors

    @property
    def fetched(self) -> int:
        """The records that the pages brought."""
        return self._fetched

    def add_page(self, element: scope.Element, page: FetchedPage, *, is_first: bool = True) -> None:
        """Take a page in: its records, and the child requests that they lead to; ``is_first`` of the element's list."""
        page, included = self._identity.with_parents(element, page)
        self._pages += 1
        self._given_on += [element["spool"]] if "spool" in element else []
        self._server_date = self._server_date or page.server_date
        self._fetched += len(page.records) + page.quarantined
        self._quarantined += page.quarantined
        for error in page.errors:
            self._note(self._item, error, element)
        self._note_list(page)
        self._has_progress |= bool(page.records or page.errors) or page.next_cursor is None
        records = page.records if self._item.deleted_when is None else self._living(element, page)
        if self._item.persist:
            if is_first and (fault := self._identity.fault_of(page.records)) is not None:
                self._note(self._item, fault, element)
            self._identity.note_origin(element, len(self._records))
            self._records.extend(records)
        for child in self._batch_children if records else ():
            batch = scope.make_batch_element(element, records)
            self._batches[child.name].append(parent_fields.keep_values(batch, included))
        if self._item.recursion is not None:
            self._recurse(element, records)
        for child in self._requested_children:
            for record in records:
                self._expand(child, element, record)

    def _note_list(self, page: FetchedPage) -> None:
        """Take in what the page tells of its list."""
        self._has_paged |= page.leads_on
        self._unproven += page.end is not None and not page.end.is_proven
        self._warnings += page.warnings
        if page.expected is not None:
            self._expected = (self._expected or 0) + page.expected

    def note_request(self, call: PageCall | None, *, is_answered: bool, seconds: float = 0.0) -> None:
        """Count a request that was made for good, and what its answer took; no call is none."""
        if call is not None:
            self.exchanges += Exchanges(requests=1, answered=int(is_answered), answer_ms=round(seconds * 1000))

    def add_error(self, element: scope.Element, error: RecordError) -> None:
        """Take a failed request in; the children that it will not have are counted as skipped."""
        self._note(self._item, error, element)
        self.failures.append((element, error))
        self._has_progress = True
        for child in self._child_items:
            self._skip(child)

    def to_write(self, frontier: Frontier) -> PageWrite:
        """Return the one write that all of this comes to."""
        is_done = frontier.is_done(len(self._claim.elements))
        limit_bytes = self._settings.delivery_batch_bytes
        found = self._identity.resolved(self._records, self._deleted)
        batches = self._events.of_records(found.living, limit_bytes=limit_bytes)
        deletions = self._events.of_deleted(found.deleted, limit_bytes=limit_bytes)
        changes = self._events.changes_of(found.living, found.deleted, limit_bytes=limit_bytes)
        records = self._rows(found.living)
        return PageWrite(
            claim=self._claim,
            frontier=frontier.to_json(),
            end=UnitStatus.DONE if is_done else None,
            lease_seconds=self._settings.lease_seconds,
            has_progress=self._has_progress,
            account_id=self._context.run.integrated_account_id,
            resource=self._item.resource,
            records=records,
            deleted=() if self._context.run.webhook_id else found.deleted,
            changes=changes,
            collision=self._identity.collision,
            counts_repeats=self._identity.counts_repeats,
            tracks_deletes=self._item.delete_tracking is not None or self._identity.is_rekeying,
            former_ids=self._identity.former_ids,
            server_date=self._server_date,
            events=[*batches, *deletions, *self._events.of_errors(self.errors)],
            children=self._child_units(),
            errors=self.errors,
            counters=self._counters(found, batches, deletions, is_told=bool(batches or deletions or changes)),
            skipped=self._skipped,
            child_errors=self._child_errors,
            expected=self._expected,
            has_paged=self._has_paged,
            exchanges=self.exchanges,
            warnings=[*self._warnings, *self._identity.warnings],
            gathered=self._gathered(),
            given_on=self._given_on,
            has_gaps=self._has_gaps,
        )

    def _counters(
        self, found: Resolved, batches: Sequence[EventDraft], deletions: Sequence[EventDraft], *, is_told: bool
    ) -> Counters:
        """Count what has come of the records before they are written."""
        is_withheld = self._context.run.webhook_id and not is_told
        told_deleted = sum(event.records for event in deletions)
        return Counters(
            pages=self._pages,
            fetched=self._fetched,
            quarantined=self._quarantined,
            queued=sum(event.records for event in batches) + told_deleted,
            withheld=len(found.living) + len(found.deleted) if is_withheld else 0,
            repeated=found.superseded,
            deleted=told_deleted,
            tombstones=told_deleted,
            errors=len(self.errors) - sum(self._child_errors.values()),
            unproven=self._unproven,
        )

    @property
    def _child_items(self) -> Sequence[ResourceItem]:
        return self._context.plan.children_of(self._item.name)

    @property
    def _requested_children(self) -> Sequence[ResourceItem]:
        return [child for child in self._child_items if child.is_request]

    @property
    def _batch_children(self) -> Sequence[ResourceItem]:
        return [child for child in self._child_items if not child.is_request]

    def _recurse(self, element: scope.Element, records: Sequence[JSON]) -> None:
        seen = self._context.scope_of(self._item)
        for record in records:
            try:
                found = scope.repeat_for_record(self._item, self._context.plan, element, record, seen)
            except RecordError as error:
                self._note(self._item, error, element)
                self._has_gaps = True
            else:
                self._children[self._item.name].extend([found] if found is not None else [])

    def _expand(self, child: ResourceItem, element: scope.Element, record: JSON) -> None:
        try:
            seen = self._context.scope_of(child)
            elements = scope.list_child_elements(child, self._context.plan, self._item, element, record, seen)
        except RecordError as error:
            self._note(child, error, element)
            self._child_errors[self._context.resource_ids[child.name]] += 1
            self._skip(child)
        else:
            self._children[child.name].extend(elements)

    def _skip(self, child: ResourceItem) -> None:
        self._skipped[self._context.resource_ids[child.name]] += 1

    def _note(self, item: ResourceItem, error: RecordError, element: scope.Element) -> None:
        details = self._details(item, error, element)
        self.errors.append(draft_error(error.code, error.message, at=self._clock.now(), source=item, details=details))

    def _details(self, item: ResourceItem, error: RecordError, element: scope.Element) -> JsonObject:
        details: JsonObject = {}
        if isinstance(error, SourceError):
            details = {"status": error.status, "excerpt": error.excerpt}
        for name in ("path", "record_id"):
            details[name] = getattr(error, name, None)
        if parents := element.get("parents"):
            details["parents"] = parents
        if "loop" in element:
            details["loop"] = self._shown_loop(item, element["loop"])
        return {name: value for name, value in details.items() if value is not None}

    def _shown_loop(self, item: ResourceItem, value: JSON) -> JSON:
        """Mask the value of a loop that goes over a secret part of the account's context."""
        root, *path = item.loop_on or ("",)
        if root != "context" or any(tuple(path[: len(plain)]) == plain for plain in self._context.plain_paths):
            return value
        return redact({"loop": value})["loop"]

    def _living(self, element: scope.Element, page: FetchedPage) -> list[JSON]:
        """Put aside what the upstream tells as deleted, and what does not say whether it is; give the rest."""
        assert self._item.deleted_when is not None
        parted = told_deletions.split_deleted(
            self._item.deleted_when,
            page.records,
            self._context.key_of(self._item),
            has_short_integers=page.has_short_integers,
            monotonic=time.monotonic,
        )
        for error in parted.errors:
            self._note(self._item, error, element)
        self._quarantined += len(parted.errors)
        if self._item.persist:
            before = len(self._records)
            self._deleted += [(before + position, record) for position, record in parted.deleted]
        return parted.living

    def _rows(self, records: Sequence[JSON]) -> RecordBatch:
        if self._context.run.webhook_id or not records:
            return RecordBatch()
        return self._identity.batch(records)

    def _child_units(self) -> list[UnitDraft]:
        ids, most = self._context.resource_ids, self._settings.children_per_unit
        drafts = [
            unit for name, elements in self._children.items() for unit in cut_into_units(ids[name], elements, size=most)
        ]
        # A batch is as much as a page: each has a unit of its own, so that a claim holds no more than one.
        for child in self._batch_children:
            if child.kind is NodeKind.TRANSFORM:
                drafts += cut_into_units(ids[child.name], self._batches[child.name], size=1)
        return drafts

    def _gathered(self) -> list[GatheredBatch]:
        return [
            GatheredBatch(resource_id=self._context.resource_ids[child.name], records=encode(element["records"]))
            for child in self._batch_children
            if child.kind is NodeKind.SPOOL
            for element in self._batches[child.name]
        ]
