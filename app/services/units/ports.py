"""What work on a unit has at hand, and what it needs of the store, each as a role."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from app.engine.runs.spells import SpellEnd
from app.engine.runs.work import (
    Claim,
    ClaimTerms,
    CrowdedOut,
    EventDraft,
    PageWrite,
    PendingEvent,
    WakeUp,
    WorkFacts,
)
from app.engine.status import DeliveryStatus
from app.services.ports import Clock, Dispatcher
from app.settings import Settings

Report: TypeAlias = Callable[[WorkFacts], object]
"""Receives once what a slice works on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """The surroundings of a daemon's slices."""

    clock: Clock
    settings: Settings
    dispatcher: Dispatcher
    is_stopping: Callable[[], bool]
    """Whether the daemon is to stop: a slice then ends after its page."""


class Units(Protocol):
    """The units of all runs, each with at most one lease. A lost lease raises LeaseLostError where it says so."""

    def claim(self, unit_id: str, terms: ClaimTerms) -> Claim | None:
        """Take the unit's lease when it is free, and there is room for it."""

    def claim_in_turn(self, unit_id: str, terms: ClaimTerms) -> Claim | None:
        """Take a delivery unit's lease though its webhook has about as many as it may; else queue the unit for one."""

    def claim_next(self, resource_id: str, terms: ClaimTerms) -> Claim | None:
        """Take the lease of a resource's oldest free unit, on the terms of ``claim``."""

    def find_next_of_resource(self, resource_id: str) -> str | None:
        """Find the oldest unit of a resource that can be claimed now."""

    def take_next_of_account(self, account_id: str) -> WakeUp | None:
        """Mark and return the unit of an account that has waited longest."""

    def take_next_of_webhook(self, webhook_id: str, *, most_of_webhook: int) -> list[WakeUp]:
        """Mark and return units that wait for a webhook, as many as may be under way beside those that are."""

    def find_crowded_out(self, unit_id: str) -> CrowdedOut | None:
        """Return what is known of a unit that could be claimed if there were room for it; None for any other."""

    def hold(self, claim: Claim, *, lease_seconds: float) -> None:
        """Prolong the lease; raise LeaseLostError when it is gone."""

    def keep(self, claim: Claim, *, lease_seconds: float) -> bool:
        """Prolong the lease unless its row is locked, without waiting; False when it is gone."""

    def hand_back(self, claim: Claim, *, wake_seconds: float = ..., end: SpellEnd = ..., is_idle: bool = ...) -> bool:
        """Release the lease; False when it was lost already."""


class Pages(Protocol):
    """The pages of all runs; each write happens wholly or not at all."""

    def write(self, page: PageWrite) -> str | None:
        """Write a page; return the delivery unit to dispatch.

        Raise LeaseLostError when the lease is gone, UnwritablePageError for a page that can never be written.
        """

    def has_paged(self, resource_id: str) -> bool:
        """Whether a list of the resource has ever led to a second page, in any run for the same account."""


class Deliveries(Protocol):
    """The events of runs that wait for their webhooks; what is written takes the lease of the run's delivery unit."""

    def find_next_event(self, run_id: str) -> PendingEvent | None:
        """Find the oldest event of a run."""

    def settle(
        self,
        claim: Claim,
        event: PendingEvent,
        end: DeliveryStatus,
        *,
        status_code: int | None,
        error: str | None,
        lease_seconds: float,
        backlog_limit: int,
    ) -> list[WakeUp]:
        """Write the final status of an event; return the units that may fetch again."""

    def split(
        self,
        claim: Claim,
        event: PendingEvent,
        parts: Sequence[EventDraft],
        *,
        status_code: int | None,
        error: str,
        lease_seconds: float,
    ) -> None:
        """Replace an event by its parts, in its place in the line."""

    def record_failed_attempt(self, event: PendingEvent, *, status_code: int | None, error: str) -> None:
        """Record why an attempt failed."""

    def go_idle(self, claim: Claim, *, run_is_final: bool, lease_seconds: float) -> bool:
        """Release the unit when nothing is left to send."""

    def is_long(self, run_id: str, *, limit: int) -> bool:
        """Whether so many batches wait for a run's webhook."""

    def wait_for_backlog(self, claim: Claim, *, backlog_limit: int) -> bool:
        """Block the unit when too many batches wait; return whether it was blocked."""


def report_nothing(facts: WorkFacts) -> None:
    """Do nothing: what a slice works on is of no interest."""
