"""What work on a unit needs of the store, each as a role."""

from datetime import datetime
from typing import Protocol

from app.engine.runs.work import Claim, PageWrite


class UnitLeases(Protocol):
    """Keeps and gives back the lease of a unit."""

    def hold(self, claim: Claim, *, lease_seconds: float) -> None:
        """Prolong the lease; raise LeaseLostError when it is gone."""

    def hand_back(
        self, claim: Claim, *, wake_seconds: float = ..., has_failed: bool = ..., is_idle: bool = ...
    ) -> bool:
        """Give the lease up; False when it was lost already."""


class PageWriter(Protocol):
    """Writes pages; each write happens wholly or not at all."""

    def write(self, page: PageWrite) -> str | None:
        """Write a page; raise LeaseLostError when the unit is somebody else's; give the delivery unit to ring.

        Raise UnwritablePageError for one that can never be written.
        """

    def has_paged(self, resource_id: str) -> bool:
        """Whether a list of the resource has ever led to a second page, in any run for the same account."""


class Bounds(Protocol):
    """Keeps up to which moment of the upstream's clock a run has seen everything."""

    def freeze_upper_bound(self, run_id: str, server_date: datetime) -> None:
        """Translate the run's start into the upstream's clock, once."""


class Backlog(Protocol):
    """Knows how many batches wait for a run's webhook."""

    def is_long(self, run_id: str, *, limit: int) -> bool:
        """Whether so many wait."""

    def wait_for_backlog(self, claim: Claim, *, backlog_limit: int) -> bool:
        """Block the unit when too many wait; tell whether it was blocked."""
