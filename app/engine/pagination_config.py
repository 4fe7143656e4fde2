"""How an integration hands out its pages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.engine.config_reader import ConfigReader
from app.engine.expressions import Expression
from app.engine.json_types import JSON
from app.engine.paths import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePagination:
    """Pages have numbers."""

    page_param: str
    limit_param: str | None
    limit: int | None
    first_page: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorPagination:
    """Each page tells the cursor of the next one."""

    cursor_path: Path
    """Where the next cursor is; ``data.-1.id`` is the last record's id."""
    cursor_param: str
    limit_param: str | None
    limit: int | None
    has_more_path: Path | None
    """Where the answer says whether there is a next page; None: the cursor alone tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkHeaderPagination:
    """The ``Link`` header names the next page (RFC 8288)."""

    limit_param: str | None
    limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetPagination:
    """Pages begin at a number of records."""

    offset_param: str
    limit_param: str | None
    limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RangePagination:
    """Pages are asked for by the header ``Range``, and found by ``Content-Range`` or ``Next-Range``."""

    range_unit: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicPagination:
    """Expressions tell what each page is asked with.

    A result is an object: its ``query``, ``headers`` and ``body`` are added to the request and its ``url`` is asked
    instead; one with none of these is a query. The scope has ``query``, ``url`` and ``requestOptions`` of the request
    and, of an answer, ``response`` (status, headers, body), ``body``, ``paginationValues`` and ``cursor``.
    """

    first: Expression | None
    """Makes the values of the first page; none when it gives nothing."""
    following: Expression
    """Makes the values of the next page; nothing or null ends."""
    cursor: Expression | None
    """Finds the cursor in an answer; nothing ends."""


Pagination: TypeAlias = (
    PagePagination | CursorPagination | LinkHeaderPagination | OffsetPagination | RangePagination | DynamicPagination
)


def read_pagination(reader: ConfigReader) -> Pagination | None:
    """Read ``{"format": ..., "config": {...}}`` or its flat form; null is no pagination; faults go to the reader."""
    if reader.value is None:
        return None
    return reader.read_format(_FORMATS)


def _read_page(reader: ConfigReader) -> Pagination:
    return PagePagination(
        page_param=reader.text("page_param", default="page"),
        limit_param=reader.optional_text("limit_param"),
        limit=_limit(reader),
        first_page=reader.integer("first_page", default=1, least=0) or 0,
    )


def _read_cursor(reader: ConfigReader) -> Pagination:
    return CursorPagination(
        cursor_path=reader.path("cursor_path", default=("next_cursor",)) or (),
        cursor_param=reader.text("cursor_param", default="cursor"),
        limit_param=reader.optional_text("limit_param"),
        limit=_limit(reader),
        has_more_path=reader.path("has_more_path"),
    )


def _read_link_header(reader: ConfigReader) -> Pagination:
    return LinkHeaderPagination(limit_param=reader.optional_text("limit_param"), limit=_limit(reader))


def _read_offset(reader: ConfigReader) -> Pagination:
    return OffsetPagination(
        offset_param=reader.text("offset_param", default="offset"),
        limit_param=reader.text("limit_param", default="limit"),
        limit=_limit(reader),
    )


def _read_range(reader: ConfigReader) -> Pagination:
    return RangePagination(
        range_unit=reader.text("range_unit", default="items"),
        limit=reader.integer("limit", "page_size", default=100, least=1) or 100,
    )


def _read_dynamic(reader: ConfigReader) -> Pagination | None:
    first = reader.expression("get_initial_pagination_values_expression")
    following = reader.expression("get_pagination_values_expression")
    cursor = reader.expression("get_cursor_from_response_expression")
    if reader.value.get("get_pagination_values_expression") in (None, ""):
        reader.fault("get_pagination_values_expression", "expected a JSONata expression, found nothing")
    return None if following is None else DynamicPagination(first=first, following=following, cursor=cursor)


def _limit(reader: ConfigReader) -> int | None:
    """Read the page size; 100 where the API takes one and none is named."""
    has_param = reader.value.get("limit_param") is not None
    return reader.integer("limit", "page_size", default=100 if has_param else None, least=1)


_FORMATS: Final[Mapping[str, Callable[[ConfigReader], JSON]]] = {
    "page": _read_page,
    "cursor": _read_cursor,
    "link_header": _read_link_header,
    "offset": _read_offset,
    "range": _read_range,
    "dynamic": _read_dynamic,
}
