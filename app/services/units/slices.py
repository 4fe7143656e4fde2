"""One slice of a fetching unit under way, as a value: what was requested, what was written, and why it will end."""

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from app import meters, tracing
from app.engine.jobs import computations, scope
from app.engine.jobs.items import NodeKind, ResourceItem
from app.engine.json_types import JSON
from app.engine.record_errors import RecordError, SourceError
from app.engine.runs.frontier import Frontier
from app.engine.runs.work import Claim, PageWrite
from app.services.contexts.context import RunContext
from app.services.ports import FetchedPage, OpenList, PageCall
from app.services.units.ports import Pages


def write_pages(pages: Pages, write: PageWrite, context: RunContext) -> str | None:
    """Write pages as ``Pages.write`` does, and count what was written."""
    counters, integration = write.counters, context.account.integration_name
    facts = {
        "ferryman.pages": counters.pages,
        "ferryman.records.fetched": counters.fetched,
        "ferryman.records.quarantined": counters.quarantined,
        "ferryman.units.created": len(write.children),
    }
    with tracing.span("write pages", facts):
        delivery_unit_id = pages.write(write)
    meters.PAGES.labels(integration).inc(counters.pages)
    meters.RECORDS.labels(integration).inc(counters.fetched)
    if counters.quarantined:
        meters.QUARANTINED.labels(integration).inc(counters.quarantined)
    return delivery_unit_id


_LONGEST: Final = 6
"""Slices in a row, where no other unit waits for the worker: its account and run are read anew after so many."""

ReadSpool: TypeAlias = Callable[[str], Sequence[JSON]]
"""Reads the records that a spool passes on together; raises SpoolError when they are too many."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is under way: for which element, and the call itself."""

    index: int
    call: PageCall | None
    """None of a transform or a spool, which call no API."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A page that was taken in: of which element, and the cursor that it was requested with."""

    index: int
    element: scope.Element
    cursor: JSON


@dataclass(slots=True)
class Slice:
    """One slice under way."""

    claim: Claim
    context: RunContext
    item: ResourceItem
    frontier: Frontier
    seconds: float
    """How long it may take while others wait."""
    begun_at: float = field(default_factory=time.monotonic)
    taken: list[Taken] = field(default_factory=list)
    """The pages of the batch that is gathered."""
    in_flight: dict[Future[FetchedPage], Asked] = field(default_factory=dict)
    ahead: dict[int, OpenList] = field(default_factory=dict)
    """Pages of the open elements that were requested before their turn."""
    held_at: float = field(default_factory=time.monotonic)
    abandon_at: float | None = None
    wake_seconds: float = 0.0
    answers: int = 0
    is_draining: bool = False
    """Nothing more is requested; what is in flight is still taken in."""
    is_over: bool = False
    """No more is requested; what was requested ahead is still taken in, in its turn."""
    is_backlogged: bool = False
    has_progress: bool = False
    has_bound: bool = False
    has_failed: bool = False
    """The upstream failed, and the unit is to try again: a claim that counts, or it might do so for ever."""

    @property
    def deadline(self) -> float:
        """When its time is up."""
        return self.begun_at + self.seconds

    def is_time_up(self, may_go_on: Callable[[str], bool]) -> bool:
        """Whether it has to end; ``may_go_on`` returns whether it may take longer, as nothing of its account waits.

        Its end costs a list some round trips, in which nothing is requested ahead.
        """
        now = time.monotonic()
        if now < self.deadline:
            return False
        return now >= self.begun_at + _LONGEST * self.seconds or not may_go_on(self.context.account.id)

    @property
    def total(self) -> int:
        """The elements of the unit."""
        return len(self.claim.elements)

    @property
    def is_done(self) -> bool:
        """Whether every element of the unit has had its last page."""
        return self.frontier.is_done(self.total)

    def next_to_ask(self, asked: Collection[int]) -> int | None:
        """Choose the element to request."""
        if not self.is_over:
            return self.frontier.choose_next(asked, self.total)
        waiting = (index for index, ahead in self.ahead.items() if ahead.is_under_way)
        return next((index for index in waiting if index in self.frontier.open and index not in asked), None)

    def park(self, index: int, error: SourceError) -> None:
        """Sleep as long as the upstream asks, with elements open at their cursors: all of a unit is one account's."""
        self.is_over = True
        self.wake_seconds = max(self.wake_seconds, error.retry_after_seconds or 0.0)
        self.close_list(index)

    def close_list(self, index: int) -> None:
        """Drop an element's pages whose turn has not come."""
        if ahead := self.ahead.pop(index, None):
            ahead.close()

    def cancel_requests(self) -> None:
        """Wait for no request that is in flight; their elements stay open at their cursors."""
        for future in self.in_flight:
            future.cancel()
        self.in_flight.clear()

    def close(self) -> None:
        """Drop what has not come, and what came before its turn."""
        self.cancel_requests()
        for index in list(self.ahead):
            self.close_list(index)


def submit_batch(
    context: RunContext, item: ResourceItem, element: scope.Element, read_spool: ReadSpool
) -> "Future[FetchedPage]":
    """Build the one page of a transform or a spool from its parents' records; the future raises RecordError."""
    future: Future[FetchedPage] = Future()
    try:
        match item.kind:
            case NodeKind.TRANSFORM:
                seen = scope.build_batch_scope(item, context.plan, element, context.scope_of(item))
                records = computations.transform_records(item, seen, context.plain_paths)
            case NodeKind.SPOOL:
                records = list(read_spool(element["spool"]))
            case other:
                raise ValueError(f"a '{other}' item asks the upstream")
    except RecordError as error:
        future.set_exception(error)
    else:
        page = FetchedPage(records=records, next_cursor=None, server_date=None, url=f"{item.kind}:", status=200)
        future.set_result(page)
    return future
