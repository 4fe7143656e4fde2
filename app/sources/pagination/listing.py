"""One list of an upstream: what to ask for its next page, and what an answer makes of it.

A cursor is the list's state as JSON; None is the first page.
"""

from collections.abc import Callable

from app.engine.errors import SourceError
from app.engine.json_types import JSON, JsonObject
from app.engine.list_ends import ListEnd
from app.engine.pagination_config import (
    DynamicPagination,
    OffsetPagination,
    PagePagination,
    Pagination,
    RangePagination,
)
from app.sources.pagination import ends
from app.sources.pagination.led import LedList
from app.sources.pagination.numbered import NumberedList
from app.sources.pagination.state import ListState
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

    def ask(self) -> PageAsk:
        """Return how to ask for the page; raise SourceError ``expression``."""
        return PageAsk() if self._list is None else self._list.ask(self._state)

    def turn(self, answer: PageAnswer, *, decides_deletions: bool = False) -> PageTurn:
        """Take the page in.

        With ``decides_deletions`` an empty page ends the list only if the one behind it is empty as well.
        """
        try:
            match self._list:
                case None:
                    return PageTurn(records=answer.records, cursor=None, end=ListEnd("single_page"))
                case NumberedList():
                    return self._list.turn(self._state, answer, decides_deletions=decides_deletions)
                case LedList():
                    return self._list.turn(self._state, answer)
        except SourceError as error:
            return ends.fail(error, answer.records, self._state)

    def refused(self, refusal: PageRefusal) -> PageTurn | None:
        """Take a refusal of the page in; None where it is an error of the list."""
        return None if self._list is None else self._list.refused(self._state, refusal)


def reads_headers(pagination: Pagination | None) -> bool:
    """Whether a pagination looks at the headers of answers, Link aside."""
    if pagination is None:
        return False
    return isinstance(pagination, DynamicPagination | RangePagination) or pagination.signs.reads_headers
