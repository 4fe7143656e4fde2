"""Work on a fetching unit for one slice: request its elements side by side, write what comes, and yield in time."""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from datetime import datetime

from app import failpoints, meters
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
from app.services.unified import mappings
from app.services.units.account_fairness import AccountFairness
from app.services.units.page_batch import PageBatch
from app.services.units.ports import Deliveries, Pages, Units, WorkerContext
from app.services.units.slices import Asked, ReadSpool, Slice, Taken, submit_batch, write_pages

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
        read_spool: ReadSpool,
        units: Units,
        pages: Pages,
        deliveries: Deliveries,
        freeze_upper_bound: Callable[[str, datetime], None],
        fairness: AccountFairness,
        worker_context: WorkerContext,
    ) -> None:
        """``freeze_upper_bound`` records once up to which moment of the upstream's clock a run has seen everything."""
        self._source = source
        self._read_spool = read_spool
        self._units = units
        self._pages = pages
        self._deliveries = deliveries
        self._freeze_upper_bound = freeze_upper_bound
        self._fairness = fairness
        self._worker_context = worker_context
        self._settings = worker_context.settings

    def work(self, claim: Claim, context: RunContext) -> SliceOutcome:
        """Work on the unit until it is done or the slice is over; every page is written as it comes."""
        current = Slice(
            claim=claim,
            context=context,
            item=context.item_of(claim.resource_id),
            frontier=Frontier.from_json(claim.frontier),
            seconds=self._settings.slice_seconds,
            has_bound=context.run.upper_bound is not None,
        )
        try:
            while not current.is_done and self._step(current):
                pass
            own = WakeUp(run_id=claim.run_id, unit_id=claim.unit_id, queue=context.queue)
            self._fairness.release(context.account.id, own if self._leave(current) else None)
        except LeaseLostError:
            meters.LEASES_LOST.inc()
            self._fairness.release(context.account.id, None)
        finally:
            current.close()
        return SliceOutcome(run_id=claim.run_id, may_settle=True)

    def _step(self, current: Slice) -> bool:
        """Request more, wait for an answer, write it; False when nothing is left to wait for."""
        batch = self._new_batch(current)
        current.taken.clear()
        self._request_more(current, batch)
        if not current.in_flight and batch.is_empty:
            return False
        if batch.is_empty:
            self._collect(current, batch, wait_seconds=_WAIT_SECONDS)
        if current.total > 1 or any(ahead.is_parallel for ahead in current.ahead.values()):
            # Requests go on while their answers are written; of a list by cursor, the next page is under way already.
            self._request_more(current, batch)
        most = self._settings.requests_per_account
        while (
            batch.fetched < _RECORDS_AT_ONCE
            and len(current.taken) < most
            and any(ahead.is_ready for ahead in current.ahead.values())
        ):
            # Small pages that are there already are written together.
            if not self._collect(current, batch, wait_seconds=_READY_SECONDS):
                break
            self._request_more(current, batch)
        if not batch.is_empty:
            self._write(current, batch)
        return True

    def _new_batch(self, current: Slice) -> PageBatch:
        clock = self._worker_context.clock
        return PageBatch(current.claim, current.context, current.item, settings=self._settings, clock=clock)

    def _request_more(self, current: Slice, batch: PageBatch) -> None:
        """Submit elements until enough are in flight; one that can not be resolved is an error, not a request."""
        is_stopping, pages = self._worker_context.is_stopping(), self._settings.slice_pages
        has_enough = bool(pages) and current.answers >= pages
        current.is_over = current.is_over or is_stopping or has_enough or current.is_time_up(self._fairness.may_go_on)
        asked = {each.index for each in current.in_flight.values()}
        while not current.is_draining and len(asked) < (most := self._choose_most_in_flight(current)):
            index = current.next_to_ask(asked)
            if index is None:
                return
            current.frontier = current.frontier.start(index)
            try:
                request, future = self._submit(current, index, idle=most - len(asked) - 1)
            except RecordError as error:
                batch.add_error(current.claim.elements[index], error)
                current.frontier = current.frontier.fail(index)
                continue
            current.in_flight[future] = request
            asked.add(index)

    def _submit(self, current: Slice, index: int, *, idle: int) -> tuple[Asked, Future[FetchedPage]]:
        context, item, element = current.context, current.item, current.claim.elements[index]
        if not item.is_request:
            return Asked(index, None), submit_batch(context, item, element, self._read_spool)
        call = calls.build_page_call(context, item, element, current.frontier.open[index])
        ahead = self._open_list(current, index, idle=idle)
        return Asked(index, call), (ahead or self._source).submit(call)

    def _open_list(self, current: Slice, index: int, *, idle: int) -> OpenList | None:
        """Allow an element's list to request pages ahead: what is spare is shared by the lists that are open."""
        ahead = current.ahead.get(index) or self._source.open_list()
        if ahead is None:
            return None
        current.ahead[index] = ahead
        ahead.most = 0 if current.is_over else 1 + idle // max(1, len(current.frontier.open))
        if self._settings.slice_pages:
            ahead.most = min(ahead.most, idle)
        return ahead

    def _choose_most_in_flight(self, current: Slice) -> int:
        useful = self._source.useful_requests(current.context.budget_key)
        most = min(self._settings.requests_per_account, useful)
        pages = self._settings.slice_pages
        # What was requested before its turn is taken in even so: dropped, it would be requested twice.
        return min(most, pages - current.answers) if pages and not current.is_over else most

    def _collect(self, current: Slice, batch: PageBatch, *, wait_seconds: float) -> bool:
        """Wait a moment for answers and take in all that are there; return whether there were any."""
        done, _ = wait(current.in_flight, timeout=wait_seconds, return_when=FIRST_COMPLETED)
        for future in done:
            self._take(current, batch, current.in_flight.pop(future), future)
        if not done:
            self._wait_on(current)
        return bool(done)

    def _wait_on(self, current: Slice) -> None:
        """Keep the lease while the upstream is slow; wait for it no longer when the daemon has to stop."""
        now = time.monotonic()
        if now >= current.held_at + min(_HOLD_SECONDS, self._settings.lease_seconds / 3):
            # Also how a slice that only waits notices that its run was stopped.
            self._units.hold(current.claim, lease_seconds=self._settings.lease_seconds)
            current.held_at = time.monotonic()
        if not self._worker_context.is_stopping():
            return
        current.abandon_at = current.abandon_at or now + self._settings.stop_grace_seconds
        if now >= current.abandon_at:
            current.cancel_requests()
            current.is_draining = True

    def _take(self, current: Slice, batch: PageBatch, asked: Asked, future: Future[FetchedPage]) -> None:
        """Take in an answer: a page, a fault, or a limit that parks the unit."""
        index, element = asked.index, current.claim.elements[asked.index]
        current.answers += 1
        try:
            page = mappings.map_page(asked.call, future.result())
        except RateLimitedError as limit:
            current.park(index, limit)
        except RecordError as error:
            if isinstance(error, TransientSourceError) and current.claim.attempts < CLAIMS_FOR_FAULTS:
                current.has_failed = True
                current.park(index, error)
                return
            batch.count_request(asked.call, is_answered=not isinstance(error, SourceError))
            batch.add_error(element, mappings.map_error(asked.call, error))
            current.frontier = current.frontier.fail(index)
        else:
            failpoints.hit(Failpoint.AFTER_FETCH)
            self._take_page(current, batch, asked, page)
        if index not in current.frontier.open:
            current.close_list(index)

    def _take_page(self, current: Slice, batch: PageBatch, asked: Asked, page: FetchedPage) -> None:
        index, element = asked.index, current.claim.elements[asked.index]
        cursor = asked.call.cursor if asked.call else None
        current.taken.append(Taken(index, element, cursor))
        if page.is_requested:
            batch.count_request(asked.call, is_answered=True, seconds=page.answer_seconds)
        if page.parts:
            batch.add_parts(element, page)
        else:
            batch.add_page(element, page, is_first=cursor is None)
        fault = page.fault
        if page.is_suspicion and self._pages.has_paged(str(current.claim.resource_id)):
            fault = None
        if fault is not None:
            batch.add_error(element, fault)
            current.frontier = current.frontier.advance(index, page.next_cursor).fail(index)
        elif page.leads_on:
            current.frontier = current.frontier.advance(index, page.next_cursor)
        else:
            current.frontier = current.frontier.finish(index)

    def _write(self, current: Slice, batch: PageBatch) -> None:
        """Write what was taken in, and dispatch what it leads to."""
        write = batch.build_write(current.frontier)
        if write.server_date and not current.has_bound:
            # Before the page, in a transaction of its own: a page write never locks the run's row.
            self._freeze_upper_bound(current.claim.run_id, write.server_date)
            current.has_bound = True
        try:
            delivery_unit_id = write_pages(self._pages, write, current.context)
        except UnwritablePageError as error:
            batch = self._give_up_taken(current, batch, error)
            write = batch.build_write(current.frontier)
            delivery_unit_id = write_pages(self._pages, write, current.context)
        current.held_at = time.monotonic()
        current.has_progress |= write.has_progress
        unit_ids = [*(child.id for child in write.children), *([delivery_unit_id] if delivery_unit_id else ())]
        run_id, queue = current.claim.run_id, current.context.queue
        self._worker_context.dispatcher.dispatch([WakeUp(run_id=run_id, unit_id=id, queue=queue) for id in unit_ids])
        if batch.errors and current.context.run.error_handling is ErrorHandling.FAIL_FAST:
            # Settling ends the run: its first error is written.
            current.is_draining = True
        if delivery_unit_id and self._deliveries.is_long(run_id, limit=self._settings.delivery_backlog):
            current.is_backlogged = current.is_over = True

    def _give_up_taken(self, current: Slice, refused: PageBatch, error: UnwritablePageError) -> PageBatch:
        """Give up the requests whose pages can not be written: requested again, they would end as the first time."""
        batch = self._new_batch(current)
        batch.exchanges += refused.exchanges
        for element, failure in refused.failures:
            if not any(element is one.element for one in current.taken):
                batch.add_error(element, failure)
        given_up: set[int] = set()
        for one in current.taken:
            # Of several pages of one list the first is where it failed.
            if one.index not in given_up:
                batch.add_error(one.element, error)
                current.frontier = current.frontier.give_up(one.index, one.cursor)
            given_up.add(one.index)
        return batch

    def _leave(self, current: Slice) -> bool:
        """Leave the unit done, parked, blocked, or ready for its next slice; return whether it is ready."""
        claim, wake_seconds = current.claim, current.wake_seconds
        if current.is_done:
            return False
        backlog_limit = self._settings.delivery_backlog
        if current.is_backlogged and self._deliveries.wait_for_backlog(claim, backlog_limit=backlog_limit):
            return False
        # The upstream was asked and returned nothing; a slice that was cut short or parked did not ask it.
        had_chance = current.answers > 0 or time.monotonic() >= current.deadline
        is_idle = had_chance and not (current.has_progress or wake_seconds or self._worker_context.is_stopping())
        is_held = self._units.hand_back(claim, wake_seconds=wake_seconds, end=current.end, is_idle=is_idle)
        return is_held and not wake_seconds
