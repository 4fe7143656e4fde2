"""One list of an upstream: the request for its next page, and the result of the answer.

A cursor is the list's state as JSON; None is the first page.
"""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import replace
from http import HTTPStatus

from app.engine.integrations.pagination import (
    DynamicPagination,
    OffsetPagination,
    PagePagination,
    Pagination,
    RangePagination,
)
from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.engine.records.outcomes import ListEnd, Reading, ReadingReason, ReadingWay
from app.sources.pagination import ends, stretches
from app.sources.pagination.chained_list import ChainedList
from app.sources.pagination.numbered_list import NumberedList
from app.sources.pagination.state import ListState, format_position
from app.sources.pagination.values import PageAnswer, PageRefusal, PageRequest, PageResult


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
        """``query`` is the query that the request has already, ``request`` the request as expressions see it.

        ``plain`` removes secrets from a position, which is stored.
        """
        match pagination:
            case None:
                self._list: NumberedList | ChainedList | None = None
            case PagePagination() | OffsetPagination() | RangePagination():
                self._list = NumberedList(pagination, query)
            case _:
                self._list = ChainedList(pagination, query, request, plain)
        state = None if cursor is None else ListState.from_json(cursor)
        self._restarts = 0 if state is None else state.restarts
        self._state = None if state is None or state.is_at_start else state
        self._may_read_ahead = pagination is not None and pagination.is_parallel

    @property
    def is_check(self) -> bool:
        """Whether the page was read already, and is requested once more."""
        return stretches.is_checking(self._state)

    @property
    def place(self) -> str:
        """Identifies the request for the page among those for the list's other pages."""
        if self._state is None:
            return ""
        if self.is_check:
            return f"check {format_position(stretches.find_witness_position(self._state))}"
        return format_position(self._state.next)

    def build_request(self) -> PageRequest:
        """Return the request for the page; raise SourceError ``expression``."""
        if self._state is not None and isinstance(self._list, NumberedList) and stretches.is_checking(self._state):
            return self._list.build_request(replace(self._state, next=stretches.find_witness_position(self._state)))
        return PageRequest() if self._list is None else self._list.build_request(self._state)

    def read_page(self, answer: PageAnswer, *, decides_deletions: bool = False, depth: int = 1) -> PageResult:
        """Return the result of the page.

        With ``decides_deletions`` an empty page ends the list only if the one behind it is empty as well. ``depth`` is
        how many pages may be requested at once.
        """
        if answer.status == HTTPStatus.NOT_MODIFIED and decides_deletions:
            return ends.end_unchanged(self._state)
        try:
            match self._list:
                case None:
                    return PageResult(records=answer.records, cursor=None, end=ListEnd("single_page"))
                case NumberedList():
                    result = self._read_numbered(self._list, answer, decides_deletions=decides_deletions, depth=depth)
                case ChainedList():
                    result = self._list.read_page(self._state, answer)
        except SourceError as error:
            return ends.fail_list(error, answer.records, self._state)
        return self._keep_restarts(result)

    def read_refusal(self, refusal: PageRefusal, *, may_restart: bool = False) -> PageResult | None:
        """Return the result of a refusal of the page; None where it is an error of the list.

        With ``may_restart`` a list whose cursor was refused is requested again from its beginning.
        """
        result = self._read_refusal(refusal)
        if result is not None or not may_restart or refusal.status not in ends.EXPIRED:
            return result
        is_by_cursor = isinstance(self._list, ChainedList) or (self._state and isinstance(self._state.next, str))
        return ends.restart_list(self._state, refusal) if self._state is not None and is_by_cursor else None

    def _read_refusal(self, refusal: PageRefusal) -> PageResult | None:
        if self._list is None:
            return None
        if not isinstance(self._list, NumberedList) or self._state is None or self._state.stretch is None:
            return self._list.read_refusal(self._state, refusal)
        if stretches.is_checking(self._state):
            return stretches.go_back(self._state) if refusal.status in ends.REFUSALS else None
        result = self._list.read_refusal(self._state, refusal)
        return result and stretches.track(self._state, PageAnswer(records=[], document=None), result, depth=1)

    def build_witness(self, answer: PageAnswer) -> JsonObject | None:
        """Return what identifies the page's content later; None for a list whose pages are read in turn only."""
        if not isinstance(self._list, NumberedList) or self._state is None or self.is_check:
            return None
        return stretches.build_witness(self._state.next, answer, total=self._list.find_total(answer))

    def find_reading(self, cursor: JsonObject) -> Reading:
        """Return how the list is read on from a cursor, as far as its pagination decides that."""
        if not self._may_read_ahead:
            return Reading(ReadingWay.SEQUENTIAL, ReadingReason.CONFIGURED)
        if not isinstance(self._list, NumberedList):
            return Reading(ReadingWay.AHEAD, ReadingReason.CURSOR)
        state = ListState.from_json(cursor)
        if stretches.is_given_up(state):
            return Reading(ReadingWay.SEQUENTIAL, ReadingReason.LIST_CHANGED)
        if isinstance(state.next, str):
            return Reading(ReadingWay.AHEAD, ReadingReason.CURSOR)
        is_known = self._list.knows_end(state)
        return Reading(ReadingWay.PARALLEL, ReadingReason.TOTAL if is_known else ReadingReason.CHECKED)

    def list_ahead(self, cursor: JsonObject, depth: int, is_asked: Callable[[str], bool]) -> Iterator["Listing"]:
        """Yield the list at the page of a cursor, and at the pages that most likely follow it.

        Of those behind the first one only what was not requested already: with each page there are hundreds of them.
        """
        if not self._may_read_ahead or self._list is None:
            return
        state = ListState.from_json(cursor)
        if stretches.is_checking(state):
            yield self._move_to(state)
            if stretches.is_ended(state):
                return
            state = replace(state, stretch=None)
        if isinstance(self._list, ChainedList):
            yield self._move_to(state)
            return
        for number, position in enumerate(self._list.list_ahead(state, depth)):
            if not number or not is_asked(format_position(position)):
                yield self._move_to(replace(state, next=position))

    def _read_numbered(
        self, numbered: NumberedList, answer: PageAnswer, *, decides_deletions: bool, depth: int
    ) -> PageResult:
        state = self._state
        if state is not None and stretches.is_checking(state):
            return stretches.check(state, answer, total=numbered.find_total(answer))
        result = numbered.read_page(state, answer, decides_deletions=decides_deletions)
        if state is None or (state.stretch is None and answer.witness is None):
            return result
        return stretches.track(state, answer, result, total=numbered.find_total(answer), depth=depth)

    def _keep_restarts(self, result: PageResult) -> PageResult:
        if not self._restarts or self._state is not None or result.cursor is None:
            return result
        return replace(result, cursor={**result.cursor, "restarts": self._restarts})

    def _move_to(self, state: ListState) -> "Listing":
        other = copy(self)
        other._state = state
        return other


def reads_headers(pagination: Pagination | None) -> bool:
    """Whether a pagination reads headers of answers other than Link."""
    if pagination is None:
        return False
    return isinstance(pagination, DynamicPagination | RangePagination) or pagination.end_rules.reads_headers
