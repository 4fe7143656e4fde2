"""The pagination of an integration, and how the end of a list is known (docs/completeness.md)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from app.engine.config.paths import MarkedPath
from app.engine.config.reader import ConfigReader, show_value
from app.engine.json_types import JSON
from app.engine.jsonata.expressions import Expression

MOST_EMPTY_PAGES: Final = 10
_END_CURSORS: Final[tuple[JSON, ...]] = (None, "", False)


class CursorPlace(StrEnum):
    """Where a request holds the position of its page."""

    QUERY = "query"
    BODY = "body"
    """As a field of the body; a dotted name is a nested field."""


class NextIs(StrEnum):
    """What a next cursor is."""

    AUTO = "auto"
    """Decided by how it is written."""
    LINK = "link"
    """An address to follow, relative to the page that named it."""
    VALUE = "value"
    """A parameter to send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRules:
    """What an answer says of the list that it is a page of."""

    total_path: MarkedPath | None = None
    """Where the body has the number of all records."""
    total_header: str | None = None
    is_estimate: bool = False
    """The total may be wrong: a list that does not reach it is no error."""
    total_pages_path: MarkedPath | None = None
    total_pages_header: str | None = None
    has_more_path: MarkedPath | None = None
    """Where the body says whether there is a next page."""
    stop_when: Expression | None = None
    """True of an answer that ends the list, over ``status``, ``headers`` and ``body``."""
    most_empty_pages: int = MOST_EMPTY_PAGES
    """So many in a row that promise more are an error."""

    @property
    def reads_headers(self) -> bool:
        """Whether headers are looked at."""
        return any(one is not None for one in (self.stop_when, self.total_header, self.total_pages_header))


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePagination:
    """Pages have numbers."""

    page_param: str
    limit_param: str | None
    limit: int | None
    first_page: int
    place: CursorPlace = CursorPlace.QUERY
    short_page_ends: bool = False
    """The API documents that a page shorter than its limit is the last one."""
    end_rules: EndRules = field(default_factory=EndRules)
    is_parallel: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorPagination:
    """Each page holds the cursor of the next one."""

    cursor_path: MarkedPath
    """Where the next cursor is; ``data.-1.id`` is the last record's id."""
    cursor_param: str
    limit_param: str | None
    limit: int | None
    end_cursors: tuple[JSON, ...] = _END_CURSORS
    """Values that say that there is no next page."""
    next_is: NextIs = NextIs.AUTO
    place: CursorPlace = CursorPlace.QUERY
    end_rules: EndRules = field(default_factory=EndRules)
    is_parallel: bool = True

    def is_end(self, value: JSON) -> bool:
        """Whether a value at ``cursor_path`` ends the list; 0 is not false."""
        return any(type(value) is type(end) and value == end for end in self.end_cursors)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkHeaderPagination:
    """The ``Link`` header names the next page (RFC 8288)."""

    limit_param: str | None
    limit: int | None
    end_rules: EndRules = field(default_factory=EndRules)
    is_parallel: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetPagination:
    """Pages begin at a number of records."""

    offset_param: str
    limit_param: str | None
    limit: int | None
    place: CursorPlace = CursorPlace.QUERY
    short_page_ends: bool = False
    end_rules: EndRules = field(default_factory=EndRules)
    is_parallel: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RangePagination:
    """Pages are requested by the header ``Range``, and end as ``Content-Range`` or ``Next-Range`` says."""

    range_unit: str
    limit: int
    short_page_ends: bool = False
    end_rules: EndRules = field(default_factory=EndRules)
    is_parallel: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicPagination:
    """Expressions make the request of each page.

    A result is an object: its ``query``, ``headers`` and ``body`` are added to the request and its ``url`` is asked
    instead; one with none of these is a query. The scope has ``query``, ``url`` and ``requestOptions`` of the request
    and, of an answer, ``response`` (status, headers, body), ``body``, ``paginationValues`` and ``cursor``.
    """

    first: Expression | None
    """Makes the values of the first page; none when it returns nothing."""
    following: Expression
    """Makes the values of the next page; nothing or null ends."""
    cursor: Expression | None
    """Finds the cursor in an answer; nothing ends."""
    end_rules: EndRules = field(default_factory=EndRules)
    is_parallel: bool = True


Numbered: TypeAlias = PagePagination | OffsetPagination | RangePagination
"""The position of a page can be counted."""
Chained: TypeAlias = CursorPagination | LinkHeaderPagination | DynamicPagination
"""Each page leads to the next one."""
Pagination: TypeAlias = Numbered | Chained


def read_pagination(reader: ConfigReader) -> Pagination | None:
    """Read ``{"format": ..., "config": {...}}`` or its flat form; null is no pagination; faults go to the reader."""
    if reader.value is None:
        return None
    return reader.read_format(_FORMATS)


def _read_page_pagination(reader: ConfigReader) -> Pagination:
    return PagePagination(
        page_param=reader.read_text("page_param", default="page"),
        limit_param=reader.read_optional_text("limit_param"),
        limit=_read_limit(reader),
        first_page=_read_first_page(reader),
        place=reader.read_choice("cursor_in", CursorPlace, CursorPlace.QUERY),
        short_page_ends=reader.read_flag("short_page_ends"),
        end_rules=_read_end_rules(reader),
        is_parallel=_read_parallel(reader),
    )


def _read_first_page(reader: ConfigReader) -> int:
    number = reader.read_integer("first_page", default=1, least=0)
    return 1 if number is None else number


def _read_cursor_pagination(reader: ConfigReader) -> Pagination:
    return CursorPagination(
        cursor_path=reader.read_marked_path("cursor_path") or MarkedPath(("next_cursor",)),
        cursor_param=reader.read_text("cursor_param", default="cursor"),
        limit_param=reader.read_optional_text("limit_param"),
        limit=_read_limit(reader),
        end_cursors=_read_end_cursors(reader),
        next_is=reader.read_choice("next_is", NextIs, NextIs.AUTO),
        place=reader.read_choice("cursor_in", CursorPlace, CursorPlace.QUERY),
        end_rules=_read_end_rules(reader),
        is_parallel=_read_parallel(reader),
    )


def _read_link_header_pagination(reader: ConfigReader) -> Pagination:
    return LinkHeaderPagination(
        limit_param=reader.read_optional_text("limit_param"),
        limit=_read_limit(reader),
        end_rules=_read_end_rules(reader),
        is_parallel=_read_parallel(reader),
    )


def _read_offset_pagination(reader: ConfigReader) -> Pagination:
    return OffsetPagination(
        offset_param=reader.read_text("offset_param", default="offset"),
        limit_param=reader.read_text("limit_param", default="limit"),
        limit=_read_limit(reader),
        place=reader.read_choice("cursor_in", CursorPlace, CursorPlace.QUERY),
        short_page_ends=reader.read_flag("short_page_ends"),
        end_rules=_read_end_rules(reader),
        is_parallel=_read_parallel(reader),
    )


def _read_range_pagination(reader: ConfigReader) -> Pagination:
    return RangePagination(
        range_unit=reader.read_text("range_unit", default="items"),
        limit=reader.read_integer("limit", "page_size", default=100, least=1) or 100,
        short_page_ends=reader.read_flag("short_page_ends"),
        end_rules=_read_end_rules(reader),
        is_parallel=_read_parallel(reader),
    )


def _read_dynamic_pagination(reader: ConfigReader) -> Pagination | None:
    first = reader.read_expression("get_initial_pagination_values_expression")
    following = reader.read_expression("get_pagination_values_expression")
    cursor = reader.read_expression("get_cursor_from_response_expression")
    if reader.value.get("get_pagination_values_expression") in (None, ""):
        reader.report("get_pagination_values_expression", "expected a JSONata expression, found nothing")
    end_rules = _read_end_rules(reader)
    if following is None:
        return None
    return DynamicPagination(
        first=first, following=following, cursor=cursor, end_rules=end_rules, is_parallel=_read_parallel(reader)
    )


def _read_end_rules(reader: ConfigReader) -> EndRules:
    return EndRules(
        total_path=reader.read_marked_path("total_path"),
        total_header=_read_header(reader, "total_header"),
        is_estimate=_read_estimate(reader),
        total_pages_path=reader.read_marked_path("total_pages_path"),
        total_pages_header=_read_header(reader, "total_pages_header"),
        has_more_path=reader.read_marked_path("has_more_path"),
        stop_when=reader.read_expression("stop_when"),
        most_empty_pages=reader.read_integer("max_empty_pages", default=MOST_EMPTY_PAGES, least=1) or MOST_EMPTY_PAGES,
    )


def _read_parallel(reader: ConfigReader) -> bool:
    """Read whether pages may be requested before the page before them is stored; true by default."""
    return reader.value.get("parallel") is None or reader.read_flag("parallel")


def _read_header(reader: ConfigReader, key: str) -> str | None:
    name = reader.read_optional_text(key)
    return None if name is None else name.lower()


def _read_estimate(reader: ConfigReader) -> bool:
    value = reader.value.get("total")
    if value not in (None, "exact", "estimate"):
        reader.report("total", f"expected 'exact' or 'estimate', found {show_value(value)}")
    return bool(value == "estimate")


def _read_end_cursors(reader: ConfigReader) -> tuple[JSON, ...]:
    value = reader.value.get("end_cursors")
    if value is None:
        return _END_CURSORS
    if not isinstance(value, list) or any(isinstance(one, dict | list) for one in value):
        reader.report("end_cursors", f"expected a list of texts, numbers, booleans and null, found {show_value(value)}")
        return _END_CURSORS
    return tuple(value)


def _read_limit(reader: ConfigReader) -> int | None:
    """Read the page size; 100 where the API takes one and none is named."""
    has_param = reader.value.get("limit_param") is not None
    return reader.read_integer("limit", "page_size", default=100 if has_param else None, least=1)


_FORMATS: Final[Mapping[str, Callable[[ConfigReader], JSON]]] = {
    "page": _read_page_pagination,
    "cursor": _read_cursor_pagination,
    "link_header": _read_link_header_pagination,
    "offset": _read_offset_pagination,
    "range": _read_range_pagination,
    "dynamic": _read_dynamic_pagination,
}
