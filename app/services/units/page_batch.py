"""Collect the pages and errors of one write: records become rows or events, parents become units of children."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from app.engine.jobs import parent_fields, scope
from app.engine.jobs.items import NodeKind, ResourceItem
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import RecordError, SourceError
from app.engine.records import told_deletions
from app.engine.records.outcomes import PageWarning, Reading
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
from app.services.units.page_records import PageRecords
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
        limit_bytes = settings.delivery_batch_bytes
        self._known = PageRecords(context, item, claim.resource_id, clock=clock, limit_bytes=limit_bytes)
        self._children_of_item = context.plan.children_of(item.name)
        self._records: list[JSON] = []
        self._deleted: list[tuple[int, JSON]] = []
        self._children: dict[str, list[scope.Element]] = {child.name: [] for child in (*self._requested_children, item)}
        self._batches: dict[str, list[scope.Element]] = {child.name: [] for child in self._batch_children}
        self._skipped: Counter[str] = Counter()
        self._child_errors: Counter[str] = Counter()
        self._given_on: list[str] = []
        self._server_date: datetime | None = None
        self._pages = 0
        self._parts = 0
        self._fetched = 0
        self._quarantined = 0
        self._unproven = 0
        self._expected: int | None = None
        self._has_paged = False
        self._readings: set[Reading] = set()
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
        return not self._pages and not self._parts and not self.errors

    @property
    def fetched(self) -> int:
        """The records that the pages brought."""
        return self._fetched

    def add_page(self, element: scope.Element, page: FetchedPage, *, is_first: bool = True) -> None:
        """Add a page: its records, and the child requests that they lead to; ``is_first`` of the element's list."""
        page, included = self._known.with_parents(element, page)
        self._pages += 1
        self._given_on += [element["spool"]] if "spool" in element else []
        self._server_date = self._server_date or page.server_date
        self._fetched += len(page.records) + page.quarantined
        self._quarantined += page.quarantined
        for error in page.errors:
            self._record(self._item, error, element)
        self._take_list(page)
        self._has_progress |= bool(page.records or page.errors) or page.next_cursor is None
        records = page.records if self._item.deleted_when is None else self._part_deleted(element, page)
        if self._item.persist:
            if is_first and (fault := self._known.find_fault(page.records)) is not None:
                self._record(self._item, fault, element)
            self._known.mark_element(element, len(self._records))
            self._records.extend(records)
        for child in self._batch_children if records else ():
            batch = scope.make_batch_element(element, records)
            self._batches[child.name].append(parent_fields.keep_values(batch, included))
        if self._item.recursion is not None:
            self._recurse(element, records)
        for child in self._requested_children:
            for record in records:
                self._expand(child, element, record)

    def add_parts(self, element: scope.Element, page: FetchedPage) -> None:
        """Add the parts that a list is cut into: elements of the same resource."""
        self._parts += len(page.parts)
        self._has_progress = True
        self._take_list(page)
        self._children[self._item.name] += [{**element, "part": part} for part in page.parts]

    def _take_list(self, page: FetchedPage) -> None:
        """Add what the page shows of its list."""
        self._has_paged |= page.leads_on
        self._readings |= {page.reading} if page.reading is not None else set()
        self._unproven += page.end is not None and not page.end.is_proven
        self._warnings += page.warnings
        if page.expected is not None:
            self._expected = (self._expected or 0) + page.expected

    def count_request(self, call: PageCall | None, *, is_answered: bool, seconds: float = 0.0) -> None:
        """Count a request that was made for good, and what its answer took; no call is none."""
        if call is not None:
            self.exchanges += Exchanges(requests=1, answered=int(is_answered), answer_ms=round(seconds * 1000))

    def add_error(self, element: scope.Element, error: RecordError) -> None:
        """Add a failed request; the children that it will not have are counted as skipped."""
        self._record(self._item, error, element)
        self.failures.append((element, error))
        self._has_progress = True
        for child in self._children_of_item:
            self._skip(child)

    def build_write(self, frontier: Frontier) -> PageWrite:
        """Return the one write that all of this comes to."""
        is_done = frontier.is_done(len(self._claim.elements))
        found = self._known.resolve(self._records, self._deleted)
        batches, deletions = self._known.draft_records(found.living), self._known.draft_deletions(found.deleted)
        changes = self._known.find_changes(found.living, found.deleted)
        is_kept = bool(found.living) and not self._context.run.webhook_id
        records = self._known.batch(found.living) if is_kept else RecordBatch()
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
            collision=self._known.collision,
            counts_repeats=self._known.counts_repeats,
            tracks_deletes=self._item.delete_tracking is not None or self._known.is_rekeying,
            former_ids=self._known.former_ids,
            server_date=self._server_date,
            events=[*batches, *deletions, *self._known.draft_errors(self.errors)],
            children=self._build_child_units(),
            errors=self.errors,
            counters=self._count(found, batches, deletions, is_sent=bool(batches or deletions or changes)),
            skipped=self._skipped,
            child_errors=self._child_errors,
            expected=self._expected,
            has_paged=self._has_paged,
            readings=frozenset(self._readings),
            exchanges=self.exchanges,
            warnings=[*self._warnings, *self._known.warnings],
            gathered=self._build_gathered(),
            given_on=self._given_on,
            has_gaps=self._has_gaps,
        )

    def _count(
        self, found: Resolved, batches: Sequence[EventDraft], deletions: Sequence[EventDraft], *, is_sent: bool
    ) -> Counters:
        """Count what has come of the records before they are written."""
        is_withheld = self._context.run.webhook_id and not is_sent
        sent_deletions = sum(event.records for event in deletions)
        return Counters(
            pages=self._pages,
            fetched=self._fetched,
            quarantined=self._quarantined,
            queued=sum(event.records for event in batches) + sent_deletions,
            withheld=len(found.living) + len(found.deleted) if is_withheld else 0,
            repeated=found.superseded,
            deleted=sent_deletions,
            tombstones=sent_deletions,
            errors=len(self.errors) - sum(self._child_errors.values()),
            unproven=self._unproven,
        )

    @property
    def _requested_children(self) -> Sequence[ResourceItem]:
        return [child for child in self._children_of_item if child.is_request]

    @property
    def _batch_children(self) -> Sequence[ResourceItem]:
        return [child for child in self._children_of_item if not child.is_request]

    def _recurse(self, element: scope.Element, records: Sequence[JSON]) -> None:
        seen = self._context.scope_of(self._item)
        for record in records:
            try:
                found = scope.repeat_for_record(self._item, self._context.plan, element, record, seen)
            except RecordError as error:
                self._record(self._item, error, element)
                self._has_gaps = True
            else:
                self._children[self._item.name].extend([found] if found is not None else [])

    def _expand(self, child: ResourceItem, element: scope.Element, record: JSON) -> None:
        try:
            seen = self._context.scope_of(child)
            elements = scope.list_child_elements(child, self._context.plan, self._item, element, record, seen)
        except RecordError as error:
            self._record(child, error, element)
            self._child_errors[self._context.resource_ids[child.name]] += 1
            self._skip(child)
        else:
            self._children[child.name].extend(elements)

    def _skip(self, child: ResourceItem) -> None:
        self._skipped[self._context.resource_ids[child.name]] += 1

    def _record(self, item: ResourceItem, error: RecordError, element: scope.Element) -> None:
        self.errors.append(
            draft_error(
                error.code,
                error.message,
                at=self._clock.now(),
                source=item,
                details=self._build_details(item, error, element),
            )
        )

    def _build_details(self, item: ResourceItem, error: RecordError, element: scope.Element) -> JsonObject:
        details: JsonObject = {}
        if isinstance(error, SourceError):
            details = {"status": error.status, "excerpt": error.excerpt}
        for name in ("path", "record_id"):
            details[name] = getattr(error, name, None)
        if parents := element.get("parents"):
            details["parents"] = parents
        if "part" in element:
            details["part"] = element["part"]
        if "loop" in element:
            details["loop"] = self._mask_loop(item, element["loop"])
        return {name: value for name, value in details.items() if value is not None}

    def _mask_loop(self, item: ResourceItem, value: JSON) -> JSON:
        """Mask the value of a loop that goes over a secret part of the account's context."""
        root, *path = item.loop_on or ("",)
        if root != "context" or any(tuple(path[: len(plain)]) == plain for plain in self._context.plain_paths):
            return value
        return redact({"loop": value})["loop"]

    def _part_deleted(self, element: scope.Element, page: FetchedPage) -> list[JSON]:
        """Put aside what the upstream shows as deleted, and what does not show whether it is; return the rest."""
        assert self._item.deleted_when is not None
        parted = told_deletions.split_deleted(
            self._item.deleted_when,
            page.records,
            self._context.key_of(self._item),
            has_short_integers=page.has_short_integers,
            monotonic=time.monotonic,
        )
        for error in parted.errors:
            self._record(self._item, error, element)
        self._quarantined += len(parted.errors)
        if self._item.persist:
            before = len(self._records)
            self._deleted += [(before + position, record) for position, record in parted.deleted]
        return parted.living

    def _build_child_units(self) -> list[UnitDraft]:
        ids, most = self._context.resource_ids, self._settings.children_per_unit
        drafts = [
            unit for name, elements in self._children.items() for unit in cut_into_units(ids[name], elements, size=most)
        ]
        # A batch is as much as a page: each has a unit of its own, so that a claim holds no more than one.
        for child in self._batch_children:
            if child.kind is NodeKind.TRANSFORM:
                drafts += cut_into_units(ids[child.name], self._batches[child.name], size=1)
        return drafts

    def _build_gathered(self) -> list[GatheredBatch]:
        return [
            GatheredBatch(resource_id=self._context.resource_ids[child.name], records=encode(element["records"]))
            for child in self._batch_children
            if child.kind is NodeKind.SPOOL
            for element in self._batches[child.name]
        ]
