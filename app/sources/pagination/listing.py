"""One list of an upstream: what to ask for its next page, and what an answer makes of it.

A cursor is the list's state as JSON; None is the first page.
"""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import replace

from app.engine.integrations.pagination import (
    DynamicPagination,
    OffsetPagination,
    PagePagination,
    Pagination,
    RangePagination,
)
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.engine.records.outcomes import ListEnd
from app.sources.pagination import ends, stretches
from app.sources.pagination.led import LedList
from app.sources.pagination.numbered import NumberedList
from app.sources.pagination.state import ListState, text_of
from app.sources.pagination.values import PageAnswer, PageAsk, PageRefusal, PageTurn


class Listing:
    """The list that a request asks for, at one of its pages."""

    def __init__(
        self,
        pagination: Pagination | None,
        cursor: JsonObject | None,
        query: JsonObject,
        *,
        request: JsonObject,
        plain: Callable[[JSON], JSON],
    ) -> None:
        """``query`` is what the request holds already, and ``request`` what expressions see of it.

        ``plain`` takes secrets out of a position, which is stored.
        """
        match pagination:
            case None:
                self._list: NumberedList | LedList | None = None
            case PagePagination() | OffsetPagination() | RangePagination():
                self._list = NumberedList(pagination, query)
            case _:
                self._list = LedList(pagination, query, request, plain)
        self._state = None if cursor is None else ListState.from_json(cursor)
        self._may_read_ahead = pagination is not None and pagination.is_parallel

    @property
    def is_check(self) -> bool:
        """Whether the page was read already, and is asked for once more."""
        return stretches.is_checking(self._state)

    @property
    def place(self) -> str:
        """What tells the request for the page from those for the list's other pages."""
        if self._state is None:
            return ""
        if self.is_check:
            return f"check {text_of(stretches.checked_position(self._state))}"
        return text_of(self._state.next)

    def ask(self) -> PageAsk:
        """Return how to ask for the page; raise SourceError ``expression``."""
        if self._state is not None and isinstance(self._list, NumberedList) and stretches.is_checking(self._state):
            return self._list.ask(replace(self._state, next=stretches.checked_position(self._state)))
        return PageAsk() if self._list is None else self._list.ask(self._state)

    def turn(self, answer: PageAnswer, *, decides_deletions: bool = False, depth: int = 1) -> PageTurn:
        """Take the page in.

        With ``decides_deletions`` an empty page ends the list only if the one behind it is empty as well. ``depth`` is
        how many pages may be under way at once.
        """
        try:
            match self._list:
                case None:
                    return PageTurn(records=answer.records, cursor=None, end=ListEnd("single_page"))
                case NumberedList():
                    return self._turn_numbered(self._list, answer, decides_deletions=decides_deletions, depth=depth)
                case LedList():
                    return self._list.turn(self._state, answer)
        except SourceError as error:
            return ends.fail(error, answer.records, self._state)

    def refused(self, refusal: PageRefusal) -> PageTurn | None:
        """Take a refusal of the page in; None where it is an error of the list."""
        if self._list is None:
            return None
        if not isinstance(self._list, NumberedList) or self._state is None or self._state.stretch is None:
            return self._list.refused(self._state, refusal)
        if stretches.is_checking(self._state):
            return stretches.go_back(self._state) if refusal.status in ends.REFUSALS else None
        turned = self._list.refused(self._state, refusal)
        return turned and stretches.track(self._state, PageAnswer(records=[], document=None), turned, depth=1)

    def witness(self, answer: PageAnswer) -> JsonObject | None:
        """Return what is kept of the page to compare it with later; None of a list whose pages come in turn only."""
        if not isinstance(self._list, NumberedList) or self._state is None or self.is_check:
            return None
        return stretches.witness(self._state.next, answer, total=self._list.total(answer))

    def ahead(self, cursor: JsonObject, depth: int) -> Iterator["Listing"]:
        """Give the list at the page that a cursor leads to, and at those that are most likely behind it."""
        if not self._may_read_ahead or self._list is None:
            return
        state = ListState.from_json(cursor)
        if stretches.is_checking(state):
            yield self._at(state)
            if stretches.is_ended(state):
                return
            state = replace(state, stretch=None)
        if isinstance(self._list, LedList):
            yield self._at(state)
            return
        for position in self._list.ahead(state, depth):
            yield self._at(replace(state, next=position))

    def _turn_numbered(
        self, numbered: NumberedList, answer: PageAnswer, *, decides_deletions: bool, depth: int
    ) -> PageTurn:
        state = self._state
        if state is not None and stretches.is_checking(state):
            return stretches.check(state, answer, total=numbered.total(answer))
        turned = numbered.turn(state, answer, decides_deletions=decides_deletions)
        if state is None or (state.stretch is None and answer.witness is None):
            return turned
        return stretches.track(state, answer, turned, total=numbered.total(answer), depth=depth)

    def _at(self, state: ListState) -> "Listing":
        other = copy(self)
        other._state = state
        return other


def reads_headers(pagination: Pagination | None) -> bool:
    """Whether a pagination looks at the headers of answers, Link aside."""
    if pagination is None:
        return False
    return isinstance(pagination, DynamicPagination | RangePagination) or pagination.signs.reads_headers
