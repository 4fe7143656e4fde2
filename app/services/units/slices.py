"""One slice of a fetching unit under way, as a value: what was asked for, what was written, and why it will end."""

import time
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import dataclass, field

from app.engine.jobs.items import ResourceItem
from app.engine.record_errors import SourceError
from app.engine.runs.frontier import Frontier
from app.engine.runs.work import Claim
from app.services.contexts.context import RunContext
from app.services.ports import FetchedPage, OpenList, PageCall
from app.services.units.unwritable_pages import Taken


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is under way: for which element, and the call itself."""

    index: int
    call: PageCall | None
    """None of a transform or a spool, which ask nobody."""


@dataclass(slots=True)
class Slice:
    """One slice under way: what is asked for, what was written, and why it will end."""

    claim: Claim
    context: RunContext
    item: ResourceItem
    frontier: Frontier
    deadline: float
    taken: list[Taken] = field(default_factory=list)
    """The pages of the batch that is gathered."""
    in_flight: dict[Future[FetchedPage], Asked] = field(default_factory=dict)
    ahead: dict[int, OpenList] = field(default_factory=dict)
    """Pages of the open elements that were asked for before their turn."""
    held_at: float = field(default_factory=time.monotonic)
    abandon_at: float | None = None
    wake_seconds: float = 0.0
    answers: int = 0
    is_draining: bool = False
    """Nothing more is asked for; what is in flight is still taken in."""
    is_over: bool = False
    """No more is asked for; what was asked for ahead is still taken in, in its turn."""
    is_backlogged: bool = False
    has_progress: bool = False
    has_bound: bool = False
    has_failed: bool = False
    """The upstream failed, and the unit is to try again: a claim that counts, or it might do so for ever."""

    def park(self, error: SourceError) -> None:
        """Sleep as long as the upstream asks, with elements open at their cursors: all of a unit is one account's."""
        self.is_over = True
        self.wake_seconds = max(self.wake_seconds, error.retry_after_seconds or 0.0)

    @property
    def total(self) -> int:
        """The elements of the unit."""
        return len(self.claim.elements)

    def next_to_ask(self, asked: Collection[int]) -> int | None:
        """Choose the element to ask for."""
        if not self.is_over:
            return self.frontier.choose_next(asked, self.total)
        waiting = (index for index, ahead in self.ahead.items() if ahead.is_under_way)
        return next((index for index in waiting if index in self.frontier.open and index not in asked), None)

    def close_list(self, index: int) -> None:
        """Drop an element's pages whose turn has not come."""
        if ahead := self.ahead.pop(index, None):
            ahead.close()

    def close_lists(self) -> None:
        """Drop all pages whose turn has not come."""
        for index in list(self.ahead):
            self.close_list(index)
