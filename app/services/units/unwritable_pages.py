"""Give up the requests whose pages can not be written: to ask for them again would only end as the first time did."""

from collections.abc import Iterable
from typing import TypeAlias

from app.engine.jobs import scope
from app.engine.json_types import JSON
from app.engine.record_errors import UnwritablePageError
from app.engine.runs.frontier import Frontier
from app.services.units.page_batch import PageBatch

Taken: TypeAlias = tuple[int, scope.Element, JSON]
"""An element's index, the element, and the cursor of the page that was taken in."""


def give_up(
    batch: PageBatch, into: PageBatch, frontier: Frontier, taken: Iterable[Taken], error: UnwritablePageError
) -> Frontier:
    """Fill a batch with what is left to write of another one, its errors; give the frontier that goes with it."""
    into.exchanges += batch.exchanges
    pages = list(taken)
    for element, failure in batch.failures:
        if not any(element is one for _, one, _ in pages):
            into.add_error(element, failure)
    given_up: set[int] = set()
    for index, element, cursor in pages:
        # Of several pages of one list the first is where it failed.
        if index not in given_up:
            into.add_error(element, error)
            frontier = frontier.give_up(index, cursor)
        given_up.add(index)
    return frontier
