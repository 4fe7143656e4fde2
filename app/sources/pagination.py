"""How an upstream hands out its pages: what to ask for the next one, and whether there is one.

A cursor here is JSON that only this module reads. Page and offset keep ``{position, size, seen}``, cursor and link
header, range and dynamic ones keep ``{next, current, trail}``.
"""

import hashlib
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import TypeAlias

from app.engine.config_reader import type_name
from app.engine.errors import SourceError
from app.engine.integration_config import (
    CursorPagination,
    DynamicPagination,
    LinkHeaderPagination,
    OffsetPagination,
    PagePagination,
    Pagination,
    RangePagination,
)
from app.engine.json_types import JSON, JsonObject
from app.engine.placeholders import UNDEFINED, lookup
from app.engine.record_rows import encode
from app.sources import dynamic_pages, page_values, range_pages
from app.sources.page_values import PageAnswer, PageAsk, PageTurn

_FINGERPRINT_BYTES = 16
_Limited: TypeAlias = PagePagination | OffsetPagination | CursorPagination | LinkHeaderPagination

# A cursor that is an address: absolute, or relative with a query (base64 may begin with a slash, but has no "?").
_ADDRESS = re.compile(r"https?://|(?:/[^?\s]*)?\?", re.IGNORECASE)

_LINK = re.compile(r"""<([^<>]*)>((?:\s*;\s*[^\s=;,<>]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s";,<>]*))?)*)""")
_LINK_PARAMETER = re.compile(r""";\s*([^\s=;,]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*))""")


def ask(
    pagination: Pagination | None, cursor: JsonObject | None, query: JsonObject, *, request: JsonObject | None = None
) -> PageAsk:
    """Tell how to ask for the page at a cursor; ``query`` is what the request holds already, and
    ``request`` what expressions see of it.

    Raises SourceError ``repeated_cursor``. A cursor that came twice is an error only here, once the page that brought
    it is written.
    """
    match pagination:
        case None:
            return PageAsk()
        case RangePagination():
            return range_pages.ask(pagination, cursor)
        case DynamicPagination():
            return dynamic_pages.ask(pagination, cursor, request or {})
        case PagePagination() | OffsetPagination():
            position = _start(pagination, query) if cursor is None else cursor["position"]
            return PageAsk(query={**_limit_query(pagination, query), _position_param(pagination): position})
        case CursorPagination() | LinkHeaderPagination():
            limit_query = _limit_query(pagination, query)
            return PageAsk(query=limit_query) if cursor is None else _ask_at(pagination, cursor, limit_query)


def turn(
    pagination: Pagination | None,
    cursor: JsonObject | None,
    query: JsonObject,
    answer: PageAnswer,
    *,
    request: JsonObject | None = None,
) -> PageTurn:
    """Take the page at a cursor in; raise SourceError ``repeated_page`` when it is the page before once more."""
    match pagination:
        case None:
            return PageTurn(records=answer.records, cursor=None)
        case RangePagination():
            return range_pages.turn(pagination, cursor, answer)
        case DynamicPagination():
            return dynamic_pages.turn(pagination, cursor, request or {}, answer)
        case PagePagination() | OffsetPagination():
            return _turn_counted(pagination, cursor, query, answer.records)
        case CursorPagination():
            value = _next_value(pagination, answer.document)
        case LinkHeaderPagination():
            value = _next_link(answer.links)
    return PageTurn(records=answer.records, cursor=None if value is None else page_values.follow(cursor, value))


def is_past_the_end(pagination: Pagination | None, cursor: JsonObject | None, status: int) -> bool:
    """Claim that an error status only says that there is no such page: some servers answer 404 behind the last one."""
    if isinstance(pagination, RangePagination):
        return status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    return isinstance(pagination, PagePagination | OffsetPagination) and cursor is not None and status == 404


def _position_param(pagination: PagePagination | OffsetPagination) -> str:
    return pagination.page_param if isinstance(pagination, PagePagination) else pagination.offset_param


def _start(pagination: PagePagination | OffsetPagination, query: JsonObject) -> int:
    """Give the first position: the job's own when its query names one."""
    default = pagination.first_page if isinstance(pagination, PagePagination) else 0
    own = _integer(query.get(_position_param(pagination)))
    return default if own is None else own


def _limit_query(pagination: _Limited, query: JsonObject) -> JsonObject:
    """Give the limit to add, unless the query has its own; a null there keeps it from being sent."""
    name = pagination.limit_param
    return {} if name is None or pagination.limit is None or name in query else {name: pagination.limit}


def _limit(pagination: _Limited, query: JsonObject) -> int | None:
    name = pagination.limit_param
    return _integer(query[name]) if name is not None and name in query else pagination.limit


def _turn_counted(
    pagination: PagePagination | OffsetPagination, cursor: JsonObject | None, query: JsonObject, records: list[JSON]
) -> PageTurn:
    limit = _limit(pagination, query)
    if not records or _is_last(len(records), limit, cursor):
        return PageTurn(records=records, cursor=None)
    seen = _fingerprint(records)
    if cursor is not None and seen == cursor["seen"]:
        if limit is not None and len(records) < limit:
            # The page before was short: a server without pages was asked whether it has a second one.
            return PageTurn(records=[], cursor=None)
        raise SourceError("repeated_page", f"two pages in a row hold the same {len(records)} records")
    position = _start(pagination, query) if cursor is None else cursor["position"]
    step = 1 if isinstance(pagination, PagePagination) else len(records)
    size = None if limit is None else min(limit, len(records))
    return PageTurn(
        records=records,
        cursor={"position": position + step, "size": size if cursor is None else cursor["size"], "seen": seen},
    )


def _is_last(count: int, limit: int | None, cursor: JsonObject | None) -> bool:
    """Claim that a page of ``count`` records ends the list, from its length alone.

    A server may cap its pages below the limit that was asked for. To end there would lose the rest in silence, so a
    short first page of a round length, as caps are, is followed by one more request, and its length becomes the limit.
    """
    if limit is None:
        return False
    if cursor is not None:
        return count < int(cursor["size"] or limit)
    return count < limit and count % 10 != 0 and count % 25 != 0


def _fingerprint(records: list[JSON]) -> str:
    return hashlib.blake2b(encode(records), digest_size=_FINGERPRINT_BYTES).hexdigest()


def _ask_at(
    pagination: CursorPagination | LinkHeaderPagination, cursor: JsonObject, limit_query: JsonObject
) -> PageAsk:
    page_values.trail(cursor)
    value = cursor["next"]
    if isinstance(pagination, LinkHeaderPagination) or (isinstance(value, str) and _ADDRESS.match(value)):
        return PageAsk(address=value)
    return PageAsk(query={**limit_query, pagination.cursor_param: value})


def _next_value(pagination: CursorPagination, document: JSON) -> int | str | None:
    if pagination.has_more_path is not None and not _is_more(lookup(document, pagination.has_more_path)):
        return None
    value = lookup(document, pagination.cursor_path)
    if value is UNDEFINED or not value:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        at = ".".join(pagination.cursor_path)
        raise SourceError("request", f"expected a text or an integer as the cursor at '{at}', found {type_name(value)}")
    return value


def _is_more(value: JSON) -> bool:
    return value is not UNDEFINED and bool(value) and str(value).lower() != "false"


def _next_link(headers: Iterable[str]) -> str | None:
    """Find the address with ``rel="next"`` in Link headers (RFC 8288)."""
    for header in headers:
        for address, parameters in _LINK.findall(header):
            for name, quoted, plain in _LINK_PARAMETER.findall(parameters):
                if name.lower() == "rel" and "next" in (quoted or plain).lower().split():
                    return str(address)
    return None


def _integer(value: JSON) -> int | None:
    """Read a number that a query may hold as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
