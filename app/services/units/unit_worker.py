"""Work on one unit for one slice: claim it, and pass it to the worker of its kind."""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

from app import logs, meters, tracing
from app.engine.ids import new_id
from app.engine.jobs.items import ResourceItem
from app.engine.runs.frontier import Frontier
from app.engine.runs.spells import SpellEnd
from app.engine.runs.work import (
    NOTHING_DONE,
    Claim,
    ClaimTerms,
    ErrorDraft,
    SliceOutcome,
    UnitKind,
    WorkFacts,
    draft_error,
)
from app.engine.status import AccountStatus, RunStatus
from app.services.contexts.context import RunContext, RunContexts, RunUnworkableError
from app.services.runs.lifecycle import RunLifecycle
from app.services.units.account_fairness import AccountFairness
from app.services.units.delivery_worker import DeliveryWorker
from app.services.units.fetch_worker import FetchWorker
from app.services.units.lease_keeper import LeaseKeeper
from app.services.units.ports import Report, Units, WorkerContext, report_nothing
from app.tracing import Kind, Value

logger = logging.getLogger(__name__)

_LONGEST_CURSOR = 200
_REST_SECONDS: Final = 60.0

MAX_ATTEMPTS = 6
"""Claims in a row without one committed page, after which a unit is poison: it kills or breaks its workers."""


class UnitWorker:
    """One slice of any unit."""

    def __init__(
        self,
        *,
        units: Units,
        contexts: RunContexts,
        fetch_worker: FetchWorker,
        delivery_worker: DeliveryWorker,
        keeper: LeaseKeeper[Claim],
        lifecycle: RunLifecycle,
        fairness: AccountFairness,
        worker_context: WorkerContext,
    ) -> None:
        self._units = units
        self._keeper = keeper
        self._contexts = contexts
        self._fetch_worker = fetch_worker
        self._delivery_worker = delivery_worker
        self._lifecycle = lifecycle
        self._clock = worker_context.clock
        self._settings = worker_context.settings
        # A fresh random owner per process life: never the host's name, which a successor would share.
        self.owner = new_id()
        """As whom this process leases units."""
        self._terms = ClaimTerms(
            owner=self.owner,
            lease_seconds=worker_context.settings.lease_seconds,
            most_of_account=worker_context.settings.units_per_account,
            most_of_webhook=worker_context.settings.deliveries_per_webhook,
        )
        self._claiming = threading.Lock()
        self._fairness = fairness

    def work_on_resource(
        self, resource_id: str, *, context: RunContext | None = None, report: Report = report_nothing
    ) -> SliceOutcome:
        """Work on the resource's next free unit, if it has one; ``context`` is its run's, if it was just read."""
        if claim := self._claim(self._units.claim_next, resource_id):
            return self._work_on(claim, report, context)
        if unit_id := self._units.find_next_of_resource(resource_id):
            return self.work(unit_id, report=report)
        meters.SLICES.labels("nothing").inc()
        return NOTHING_DONE

    def work(self, unit_id: str, *, report: Report = report_nothing) -> SliceOutcome:
        """Work on the unit for one slice; a unit that is taken, done or cancelled costs one query.

        ``report`` receives what it is about, once that is known.
        """
        if claim := self._claim(self._units.claim, unit_id):
            return self._work_on(claim, report)
        # One after the other already: by a lock of the webhook.
        if self._fairness.waits_for_webhook(unit_id) and (claim := self._units.claim_in_turn(unit_id, self._terms)):
            return self._work_on(claim, report)
        meters.SLICES.labels("nothing").inc()
        return NOTHING_DONE

    def _work_on(self, claim: Claim, report: Report, context: RunContext | None = None) -> SliceOutcome:
        meters.SLICES.labels("work").inc()
        if claim.attempts > MAX_ATTEMPTS:
            return self._give_up(claim, self._draft_lost(claim))
        if claim.kind is UnitKind.DELIVERY:
            # It keeps its lease by itself, for as long as its receiver takes.
            return self._delivery_worker.work(claim, report=report)
        try:
            if claim.idle_slices >= self._settings.stalled_slices:
                return self._give_up(claim, self._draft_stalled(claim))
            with self._keeper.keeping(claim), logs.bind(run_id=claim.run_id, unit_id=claim.unit_id):
                return self._work_slice(claim, report, context or self._contexts.load(claim.run_id))
        except RunUnworkableError as error:
            self._lifecycle.fail(claim.run_id, self._draft(error.code, error.message))
            return SliceOutcome(run_id=claim.run_id)
        except Exception:
            # Celery reports it; the unit comes back by its timer, later each time, until it counts as poison.
            self._units.hand_back(claim, wake_seconds=claim.retry_seconds, end=SpellEnd.RETRY)
            raise

    def _claim(self, claim: Callable[[str, ClaimTerms], Claim | None], id: str) -> Claim | None:
        # One after the other: threads that claim at the same moment would not see each other's units of an account.
        with self._claiming:
            return claim(id, self._terms)

    def _work_slice(self, claim: Claim, report: Report, context: RunContext) -> SliceOutcome:
        if context.account.status == AccountStatus.INACTIVE:
            return self._rest(claim, context.account.id)
        item = context.item_of(claim.resource_id)
        report(WorkFacts(run_id=claim.run_id, account_id=context.account.id, what=f"{item.name} {item.method}"))
        if context.run.status is RunStatus.RATE_LIMITED:
            self._lifecycle.unpark(context.run)
        span = tracing.span(f"slice {item.name}", _describe(claim, item), kind=Kind.CONSUMER, run_id=claim.run_id)
        with logs.bind(account_id=context.account.id, resource=item.name), span:
            return self._fetch_worker.work(claim, context)

    def _rest(self, claim: Claim, account_id: str) -> SliceOutcome:
        """Make a unit of an inactive account sleep: activating the account wakes it, and it checks now and then."""
        self._units.hand_back(claim, wake_seconds=_REST_SECONDS, end=SpellEnd.ACCOUNT)
        self._fairness.release(account_id, None)
        return SliceOutcome(run_id=claim.run_id, may_settle=True)

    def _give_up(self, claim: Claim, error: ErrorDraft) -> SliceOutcome:
        if claim.kind is UnitKind.DELIVERY:
            return self._delivery_worker.give_up_head(claim, error)
        self._lifecycle.fail(claim.run_id, error)
        return SliceOutcome(run_id=claim.run_id)

    def _draft_lost(self, claim: Claim) -> ErrorDraft:
        """Return the error of a unit that no daemon survives: where it stands, since nothing is left of why."""
        message = f"a unit of work was taken up {claim.attempts - 1} times and never got a page done"
        if claim.kind is UnitKind.DELIVERY:
            return self._draft("lost_worker", message)
        try:
            item = self._contexts.load(claim.run_id).item_of(claim.resource_id)
        except RunUnworkableError:
            return self._draft("lost_worker", message)
        message += (
            f": unit {claim.unit_id} of '{item.name}' stands at {_read_place(claim)}. Its daemons died, or its tasks "
            "broke (the daemons' logs show why). An answer that needs more memory than a daemon has is refused by a "
            f"smaller FERRYMAN_RESPONSE_LIMIT_BYTES ({self._settings.response_limit_bytes})"
        )
        return self._draft("lost_worker", message, item)

    def _draft_stalled(self, claim: Claim) -> ErrorDraft:
        item = self._contexts.load(claim.run_id).item_of(claim.resource_id)
        message = (
            f"{claim.idle_slices} slices in a row brought no record of '{item.name}' and no end of its pages; "
            f"unit {claim.unit_id} stands at {_read_place(claim)}"
        )
        return self._draft("stalled", message, item)

    def _draft(self, code: str, message: str, source: ResourceItem | None = None) -> ErrorDraft:
        return draft_error(code, message, at=self._clock.now(), source=source)


def _describe(claim: Claim, item: ResourceItem) -> Mapping[str, Value]:
    """Return the attributes of a slice's span."""
    return {
        "ferryman.unit.id": claim.unit_id,
        "ferryman.unit.attempts": claim.attempts,
        "ferryman.resource.name": item.name,
        "ferryman.resource.method": item.method,
    }


def _read_place(claim: Claim) -> str:
    cursors = list(Frontier.from_json(claim.frontier).open.values())
    return json.dumps(cursors[0], ensure_ascii=False)[:_LONGEST_CURSOR] if cursors else "its beginning"
