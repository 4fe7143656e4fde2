"""Write one account's log to a destination for a slice: claim, read, learn, write at the target, move the cursor.

Any step may be the last of its process. The end of a range is recorded before it is written, the cursor moves after the
target has it durably, and the target leaves out what it holds already: a range that comes twice changes nothing.
"""

import logging
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from threading import BoundedSemaphore
from typing import Final

from app import failpoints, meters, tracing
from app.engine.errors import DestinationError, LeaseLostError, StoreUnavailableError, UnreadableSecretError
from app.engine.limits import retry
from app.engine.objects.destinations import DatastoreType
from app.failpoints import Failpoint
from app.services.destinations.gaps import GapListing
from app.services.destinations.learning import BatchLearner
from app.services.destinations.opening import open_writer
from app.services.destinations.ports import Batch, DestinationWriter, LogRange, Quarantined, Writers, Written
from app.services.destinations.run_books import count_by_run
from app.services.destinations.stores import Cursors, DueCursors, LoggedRecords
from app.services.destinations.work import Claimed, CursorClaim, DueCursor, LogPart, Moved
from app.services.ports import Clock, SchemaStore
from app.services.units.lease_keeper import LeaseKeeper

logger = logging.getLogger(__name__)

RECORDS_AT_ONCE: Final = 10_000
_BASE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 300.0
_NO_ROOM_SECONDS: Final = 2.0
_FINAL_PAUSE_SECONDS: Final = 900.0
"""Another attempt would fail too, until somebody changes something; that may be at the target, unseen by Ferryman."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingTerms:
    """How much one process does at once, and for how long."""

    owner: str
    slice_seconds: float
    lease_seconds: float
    most_of_destination: int
    """Accounts of one destination that are written at once, over all daemons."""
    most_of_process: int
    """Slices of destinations that a daemon does at once: others keep the rest of its threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingStores:
    """What is read and written in Postgres."""

    cursors: Cursors
    due: DueCursors
    log: LoggedRecords
    schemas: SchemaStore


class DestinationWorker:
    """Does slices of destinations' work."""

    def __init__(
        self,
        stores: WritingStores,
        writers: Writers,
        terms: WritingTerms,
        *,
        clock: Clock,
        monotonic: Callable[[], float],
        is_stopping: Callable[[], bool],
        dispatch_next: Callable[[str], object],
    ) -> None:
        """``dispatch_next`` has the next account of a destination written."""
        self._stores = stores
        self._writers = writers
        self._terms = terms
        self._clock = clock
        self._monotonic = monotonic
        self._is_stopping = is_stopping
        self._dispatch_next = dispatch_next
        self._gaps = GapListing(stores.log, stores.cursors.may_write, clock)
        prolong = partial(stores.cursors.keep, lease_seconds=terms.lease_seconds)
        self._keeper = LeaseKeeper(prolong, lease_seconds=terms.lease_seconds)
        self._room = BoundedSemaphore(terms.most_of_process)

    def work(self, destination_id: str, account_id: str) -> None:
        """Write for one slice what an account's log holds for a destination; nothing where somebody else does."""
        if self._is_stopping():
            # Still due: the leader sends another message within a second.
            self._stores.due.redispatch([DueCursor(destination_id=destination_id, account_id=account_id, queue="")])
            return
        if not self._room.acquire(blocking=False):
            # Were it sent again at once, all daemons that are full would get it in turn, for as long as they are.
            pause = _NO_ROOM_SECONDS * (1 + retry.draw_chance())
            self._stores.due.put_back(destination_id, account_id, seconds=pause)
            return
        try:
            claim = self._stores.cursors.claim(
                destination_id,
                account_id,
                owner=self._terms.owner,
                lease_seconds=self._terms.lease_seconds,
                most_of_destination=self._terms.most_of_destination,
            )
            if claim is None:
                return
            facts = {"ferryman.destination.id": destination_id, "ferryman.account.id": account_id}
            with (
                tracing.trace("slice of a destination", facts, kind=tracing.Kind.CONSUMER),
                self._keeper.keeping(claim),
            ):
                self._work_on(claim)
        finally:
            self._room.release()
        self._dispatch_next(destination_id)

    def _work_on(self, claim: CursorClaim) -> None:
        try:
            claimed = self._stores.cursors.load(claim)
            if claimed is not None:
                self._write_slice(claimed)
        except LeaseLostError:
            logger.info("a destination's lease was lost", extra=_facts(claim))
        except (DestinationError, UnreadableSecretError) as error:
            self._fail(claim, error)
        except StoreUnavailableError:
            raise
        except Exception as error:
            logger.exception("writing to a destination broke", extra=_facts(claim))
            broken = DestinationError(
                f"writing broke: {type(error).__name__}; the daemon's log has more", code="broken"
            )
            self._fail(claim, broken)
        else:
            self._stores.cursors.hand_back(claim)

    def _write_slice(self, claimed: Claimed) -> None:
        until = self._monotonic() + self._terms.slice_seconds
        with closing(open_writer(self._writers, claimed)) as writer:
            walk = _Walk(self._stores, writer, claimed, self._clock, self._gaps)
            while walk.write_next() and self._monotonic() < until and not self._is_stopping():
                pass

    def _fail(self, claim: CursorClaim, error: DestinationError | UnreadableSecretError) -> None:
        tracing.note_error(error)
        is_final = isinstance(error, UnreadableSecretError) or error.is_final
        base = _FINAL_PAUSE_SECONDS if is_final else _BASE_SECONDS
        pause = retry.compute_backoff(claim.attempts + 1, base, max(base, _LONGEST_PAUSE_SECONDS))
        # Between half and all of it: what failed at once does not come back at once.
        wake_seconds = pause * (0.5 + retry.draw_chance() / 2)
        self._stores.cursors.fail(claim, error=error.message, code=error.code, wake_seconds=wake_seconds)
        facts = {**_facts(claim), "code": error.code, "attempts": claim.attempts + 1}
        logger.warning("a destination failed", extra=facts)
        meters.DESTINATION_FAILURES.labels(error.code).inc()


class _Walk:
    """One account's log, as it is written range by range."""

    def __init__(
        self, stores: WritingStores, writer: DestinationWriter, claimed: Claimed, clock: Clock, gaps: GapListing
    ) -> None:
        self._stores = stores
        self._writer = writer
        self._claimed = claimed
        self._claim = claim = claimed.claim
        self._gaps = gaps
        self._learner = BatchLearner(stores.schemas, clock, claimed)
        held = writer.read_cursor(claim.account_id, claim.epoch)
        self._cursor = claim.cursor if held is None else min(claim.cursor, held)
        self._through = claim.range_through if self._cursor == claim.cursor else None
        self._listed_through = claim.listed_through

    def write_next(self) -> bool:
        """Write the next range; return whether there is another one."""
        waiting = self._stores.cursors.list_waiting_runs(self._claim)
        part = self._read(waiting)
        if part.gap_until > self._listed_through and not self._fill_gap(part.gap_until):
            return False
        if part.through == self._cursor:
            self._end_rebuild()
            return False
        if not self._stores.cursors.fix_range(self._claim, part.through):
            return False
        log_range, quarantined = self._build_range(part)
        with tracing.span("write to the datastore", {"ferryman.records.read": part.read}, kind=tracing.Kind.CLIENT):
            written, log_range, refused = self._write_without_refused(log_range)
        quarantined += refused
        failpoints.hit(Failpoint.BEFORE_CURSOR)
        moved = Moved(
            through=part.through,
            read=part.read,
            written=written.written,
            unchanged=part.read - part.filtered - len(quarantined) - written.written,
            filtered=part.filtered,
            quarantined=quarantined,
            runs=count_by_run(part.runs, waiting, log_range, written, quarantined),
            landed={batch.resource: [record.remote_id for record in batch.records] for batch in log_range.batches},
        )
        self._stores.cursors.move(self._claim, moved)
        _count(self._claimed.datastore.type, moved)
        self._cursor, self._through = part.through, None
        if part.is_last:
            self._end_rebuild()
        return not part.is_last

    def _write_without_refused(self, log_range: LogRange) -> tuple[Written, LogRange, tuple[Quarantined, ...]]:
        """Write a range without what the target can not hold, which is noted first, for whoever repeats the range."""
        found: tuple[Quarantined, ...] = ()
        while True:
            written = self._writer.write(log_range, fence=self._claim.fence)
            if not written.refused:
                return written, log_range, found
            self._stores.cursors.note_refused(self._claim, written.refused)
            failpoints.hit(Failpoint.BEFORE_REST)
            logger.warning("a target refuses records", extra={**_facts(self._claim), "count": len(written.refused)})
            found += tuple(written.refused)
            log_range = log_range.without(written.refused)

    def _read(self, waiting: Collection[str]) -> LogPart:
        wanted = self._claimed.destination.resources
        return self._stores.log.read(
            self._claim.account_id,
            after=self._cursor,
            through=self._through,
            limit=RECORDS_AT_ONCE if self._through is None else 2 * RECORDS_AT_ONCE,
            resources=None if wanted == "*" else wanted,
            runs=waiting,
        )

    def _fill_gap(self, gap_until: int) -> bool:
        """Remove what vanished while nobody read; return whether all of it is removed."""
        # Whoever has written nothing yet holds nothing that could be gone.
        if (self._claim.cursor > 0 or self._claim.epoch > 0) and not self._remove_absent():
            return False
        self._stores.cursors.note_listed(self._claim, gap_until)
        self._listed_through = gap_until
        return True

    def _end_rebuild(self) -> None:
        """Remove what the target holds and Postgres does not, after all else is as it is there."""
        if self._claim.is_rebuilding and self._remove_absent():
            self._stores.cursors.note_rebuilt(self._claim)

    def _remove_absent(self) -> bool:
        return self._gaps.fill(self._claimed, self._writer, self._learner, self._empty_range(self._cursor))

    def _build_range(self, part: LogPart) -> tuple[LogRange, tuple[Quarantined, ...]]:
        learned = [self._learner.learn(resource, records) for resource, records in sorted(part.records.items())]
        log_range = self._empty_range(part.through, [one.batch for one in learned if one.batch.records])
        quarantined = [one for each in learned for one in each.quarantined]
        # Of an attempt before: a record that has changed since stands at another number.
        known = self._stores.cursors.list_refused(self._claim, after=self._cursor, through=part.through)
        present = {record.sequence for batch in log_range.batches for record in batch.records} if known else ()
        refused = [one for one in known if one.sequence in present]
        log_range = replace(log_range, is_itemized=bool(part.runs))
        return log_range.without(refused), (*quarantined, *refused, *part.unreadable)

    def _empty_range(self, through: int, batches: list[Batch] | None = None) -> LogRange:
        return LogRange(
            environment_id=self._claimed.environment_id,
            environment_name=self._claimed.environment_name,
            account_id=self._claim.account_id,
            tenant_id=self._claimed.tenant_id,
            integration_name=self._claimed.integration_name,
            epoch=self._claim.epoch,
            first_sequence=self._cursor + 1,
            last_sequence=through,
            batches=batches or (),
            is_rebuild=self._claim.is_rebuilding,
        )


def _count(kind: DatastoreType, moved: Moved) -> None:
    counts = {"written": moved.written, "unchanged": moved.unchanged, "filtered": moved.filtered}
    for outcome, count in {**counts, "quarantined": len(moved.quarantined)}.items():
        meters.DESTINATION_RECORDS.labels(kind.value, outcome).inc(count)


def _facts(claim: CursorClaim) -> dict[str, str]:
    return {"destination_id": claim.destination_id, "account_id": claim.account_id}
