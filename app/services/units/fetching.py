"""Work on a fetching unit for one slice: request its elements side by side, write what comes, and yield in time."""

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from app import failpoints
from app.engine.errors import LeaseLostError
from app.engine.record_errors import (
    RateLimitedError,
    RecordError,
    SourceError,
    TransientSourceError,
    UnwritablePageError,
)
from app.engine.runs.frontier import Frontier
from app.engine.runs.work import Claim, SliceOutcome, WakeUp
from app.engine.status import ErrorHandling
from app.failpoints import Failpoint
from app.services.contexts import calls
from app.services.contexts.context import RunContext
from app.services.ports import FetchedPage, OpenList, Source
from app.services.unified import pages as unified_pages
from app.services.units import unwritable_pages
from app.services.units.account_fairness import AccountFairness
from app.services.units.batch_source import BatchSource
from app.services.units.page_batch import PageBatch
from app.services.units.ports import Bounds, MergeableLines, Pages, UnitLeases, WorkerContext
from app.services.units.slices import Asked, Slice

_WAIT_SECONDS = 1.0
_HOLD_SECONDS = 5.0
_READY_SECONDS = 0.05
"""How long an answer that has come may take until it is a page."""
_RECORDS_AT_ONCE = 1000
"""Pages of one list are written together up to so many records."""

CLAIMS_FOR_FAULTS = 5
"""Claims in a row without a page, in the last of which an upstream that fails and asks to wait gets no more time."""


class FetchWorker:
    """Works on fetching units, one slice at a time."""

    def __init__(
        self,
        *,
        source: Source,
        batches: BatchSource,
        leases: UnitLeases,
        pages: Pages,
        bounds: Bounds,
        backlog: MergeableLines,
        turns: AccountFairness,
        worker_context: WorkerContext,
    ) -> None:
        self._source = source
        self._batches = batches
        self._leases = leases
        self._pages = pages
        self._bounds = bounds
        self._backlog = backlog
        self._turns = turns
        self._worker_context = worker_context
        self._settings = worker_context.settings

    def work(self, claim: Claim, context: RunContext) -> SliceOutcome:
        """Carry the unit on until it is done or the slice is over; every page is written as it comes."""
        current = Slice(
            claim=claim,
            context=context,
            item=context.item_of(claim.resource_id),
            frontier=Frontier.from_json(claim.frontier),
            deadline=time.monotonic() + self._settings.slice_seconds,
            has_bound=context.run.upper_bound is not None,
        )
        try:
            while self._step(current):
                pass
            goes_on = self._end(current)
            self._turns.give_up(context.account.id, self._wake_ups(current, [claim.unit_id])[0] if goes_on else None)
        except LeaseLostError:
            self._turns.give_up(context.account.id, None)
        finally:
            for future in current.in_flight:
                future.cancel()
            current.close_lists()
        return SliceOutcome(run_id=claim.run_id, may_settle=True)

    def _step(self, current: Slice) -> bool:
        """Ask for more, wait for an answer, write it; False when nothing is left to wait for."""
        if current.frontier.is_done(current.total):
            return False
        batch = self._new_batch(current)
        current.taken.clear()
        self._fill(current, batch)
        if not current.in_flight and batch.is_empty:
            return False
        if batch.is_empty:
            self._collect(current, batch, wait_seconds=_WAIT_SECONDS)
        if current.total > 1 or current.ahead:
            # Requests go on while their answers are written; without any ahead, a list waits for its write.
            self._fill(current, batch)
        while batch.fetched < _RECORDS_AT_ONCE and any(ahead.is_ready for ahead in current.ahead.values()):
            # Small pages that are there already are written together.
            if not self._collect(current, batch, wait_seconds=_READY_SECONDS):
                break
            self._fill(current, batch)
        if not batch.is_empty:
            self._write(current, batch)
        return True

    def _new_batch(self, current: Slice) -> PageBatch:
        return PageBatch(
            current.claim, current.context, current.item, settings=self._settings, clock=self._worker_context.clock
        )

    def _fill(self, current: Slice, batch: PageBatch) -> None:
        """Submit elements until enough are in flight; one that can not be resolved is an error, not a request."""
        current.is_over = current.is_over or self._worker_context.is_stopping() or time.monotonic() >= current.deadline
        asked = {each.index for each in current.in_flight.values()}
        while not current.is_draining and len(asked) < (most := self._most_in_flight(current)):
            index = current.next_to_ask(asked)
            if index is None:
                return
            current.frontier = current.frontier.start(index)
            element = current.claim.elements[index]
            try:
                asked_for, future = self._begin(current, index, idle=most - len(asked) - 1)
            except RecordError as error:
                batch.add_error(element, error)
                current.frontier = current.frontier.fail(index)
                continue
            current.in_flight[future] = asked_for
            asked.add(index)

    def _begin(self, current: Slice, index: int, *, idle: int) -> tuple[Asked, Future[FetchedPage]]:
        context, item, element = current.context, current.item, current.claim.elements[index]
        if not item.is_request:
            return Asked(index, None), self._batches.submit(context, item, element)
        call = calls.build_page_call(context, item, element, current.frontier.open[index])
        ahead = self._ahead(current, index, idle=idle)
        return Asked(index, call), (ahead or self._source).submit(call)

    def _ahead(self, current: Slice, index: int, *, idle: int) -> OpenList | None:
        """Let an element's list ask for pages ahead: what is spare is shared by the lists that are open."""
        ahead = current.ahead.get(index) or self._source.open_list()
        if ahead is None:
            return None
        current.ahead[index] = ahead
        ahead.most = 0 if current.is_over else 1 + idle // max(1, len(current.frontier.open))
        if self._settings.slice_pages:
            ahead.most = min(ahead.most, idle)
        return ahead

    def _most_in_flight(self, current: Slice) -> int:
        useful = self._source.useful_requests(current.context.account.id)
        most = min(self._settings.requests_per_account, useful)
        pages = self._settings.slice_pages
        return min(most, pages - current.answers) if pages else most

    def _collect(self, current: Slice, batch: PageBatch, *, wait_seconds: float) -> bool:
        """Wait a moment for answers and take in all that are there; keep the lease while the upstream is slow."""
        done, _ = wait(current.in_flight, timeout=wait_seconds, return_when=FIRST_COMPLETED)
        for future in done:
            self._take(current, batch, current.in_flight.pop(future), future)
        if not done:
            self._keep(current)
        return bool(done)

    def _keep(self, current: Slice) -> None:
        """Keep the lease of a unit that waits."""
        if time.monotonic() >= current.held_at + min(_HOLD_SECONDS, self._settings.lease_seconds / 3):
            # Also how a slice that only waits notices that its run was stopped.
            self._leases.hold(current.claim, lease_seconds=self._settings.lease_seconds)
            current.held_at = time.monotonic()
        if self._worker_context.is_stopping():
            self._abandon_late(current)

    def _abandon_late(self, current: Slice) -> None:
        """Give up on answers that are late when the daemon has to go: their elements stay open at their cursors."""
        now = time.monotonic()
        current.abandon_at = current.abandon_at or now + self._settings.stop_grace_seconds
        if now >= current.abandon_at:
            for future in current.in_flight:
                future.cancel()
            current.in_flight.clear()
            current.is_draining = True

    def _take(self, current: Slice, batch: PageBatch, asked: Asked, future: Future[FetchedPage]) -> None:
        index, element = asked.index, current.claim.elements[asked.index]
        current.answers += 1
        try:
            page = unified_pages.map_page(asked.call, future.result())
        except RateLimitedError as limit:
            current.park(limit)
            current.close_list(index)
        except RecordError as error:
            if isinstance(error, TransientSourceError) and current.claim.attempts < CLAIMS_FOR_FAULTS:
                current.has_failed = True
                current.park(error)
                current.close_list(index)
                return
            batch.count_request(asked.call, is_answered=not isinstance(error, SourceError))
            batch.add_error(element, unified_pages.map_error(asked.call, error))
            current.frontier = current.frontier.fail(index)
        else:
            failpoints.hit(Failpoint.AFTER_FETCH)
            current.taken.append((index, element, asked.call.cursor if asked.call else None))
            batch.count_request(asked.call, is_answered=True, seconds=page.answer_seconds)
            batch.add_page(element, page, is_first=asked.call is None or asked.call.cursor is None)
            fault = self._fault(current, page)
            if fault is not None:
                batch.add_error(element, fault)
                current.frontier = current.frontier.advance(index, page.next_cursor).fail(index)
            elif page.leads_on:
                current.frontier = current.frontier.advance(index, page.next_cursor)
            else:
                current.frontier = current.frontier.finish(index)
        if index not in current.frontier.open:
            current.close_list(index)

    def _fault(self, current: Slice, page: FetchedPage) -> SourceError | None:
        """Return what ends a page's list as failed; a suspicion holds only for a resource that has never paged."""
        if page.is_suspicion and self._pages.has_paged(str(current.claim.resource_id)):
            return None
        return page.fault

    def _write(self, current: Slice, batch: PageBatch) -> None:
        write = batch.build_write(current.frontier)
        if write.server_date and not current.has_bound:
            # Before the page, in a transaction of its own: a page write never locks the run's row.
            self._bounds.freeze_upper_bound(current.claim.run_id, write.server_date)
            current.has_bound = True
        try:
            delivery_unit_id = self._pages.write(write)
        except UnwritablePageError as error:
            refused, batch = batch, self._new_batch(current)
            current.frontier = unwritable_pages.give_up(refused, batch, current.frontier, current.taken, error)
            write = batch.build_write(current.frontier)
            delivery_unit_id = self._pages.write(write)
        current.held_at = time.monotonic()
        current.has_progress |= write.has_progress
        new_units = [child.id for child in write.children]
        self._dispatch(current, [*new_units, delivery_unit_id] if delivery_unit_id else new_units)
        if batch.errors and current.context.run.error_handling is ErrorHandling.FAIL_FAST:
            # Settling ends the run: its first error is written.
            current.is_draining = True
        if delivery_unit_id and self._backlog.is_long(current.claim.run_id, limit=self._settings.delivery_backlog):
            current.is_backlogged = current.is_over = True

    def _end(self, current: Slice) -> bool:
        """Leave the unit done, parked, blocked, or ready for its next slice; True is the last."""
        claim = current.claim
        if current.frontier.is_done(current.total):
            return False
        if current.is_backlogged and self._backlog.wait_for_backlog(
            claim, backlog_limit=self._settings.delivery_backlog
        ):
            return False
        is_idle = self._is_idle(current)
        return (
            self._leases.hand_back(
                claim, wake_seconds=current.wake_seconds, has_failed=current.has_failed, is_idle=is_idle
            )
            and not current.wake_seconds
        )

    def _is_idle(self, current: Slice) -> bool:
        """Whether the upstream had its chance and gave nothing; a slice that was cut short or parked had none."""
        had_chance = current.answers > 0 or time.monotonic() >= current.deadline
        return had_chance and not (current.has_progress or current.wake_seconds or self._worker_context.is_stopping())

    def _dispatch(self, current: Slice, unit_ids: Sequence[str]) -> None:
        self._worker_context.dispatcher.dispatch(self._wake_ups(current, unit_ids))

    def _wake_ups(self, current: Slice, unit_ids: Sequence[str]) -> list[WakeUp]:
        queue = current.context.queue
        return [WakeUp(run_id=current.claim.run_id, unit_id=unit_id, queue=queue) for unit_id in unit_ids]
