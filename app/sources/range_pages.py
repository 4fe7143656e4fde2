"""Pages by the header ``Range``: the answer's ``Content-Range`` tells where it ends, or ``Next-Range`` what follows."""

import re
from typing import Final

from app.engine.json_types import JsonObject
from app.engine.pagination_config import RangePagination
from app.sources import page_values
from app.sources.page_values import PageAnswer, PageAsk, PageTurn

_CONTENT_RANGE: Final = re.compile(r"(?:[\w-]+\s+)?(\d{1,18})-(\d{1,18})(?:/(\d{1,18}|\*))?", re.ASCII)


def ask(pagination: RangePagination, cursor: JsonObject | None) -> PageAsk:
    """Tell how to ask for the page at a cursor; raise SourceError ``repeated_cursor``."""
    if cursor is None:
        return PageAsk(headers={"Range": _range(pagination, 0)})
    page_values.trail(cursor)
    return PageAsk(headers={"Range": cursor["next"]})


def turn(pagination: RangePagination, cursor: JsonObject | None, answer: PageAnswer) -> PageTurn:
    """Take the page at a cursor in. A server that knows no ranges has answered with everything."""
    following = answer.headers.get("next-range") or _behind(pagination, answer)
    return PageTurn(records=answer.records, cursor=None if following is None else page_values.follow(cursor, following))


def _behind(pagination: RangePagination, answer: PageAnswer) -> str | None:
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", "").strip())
    if match is None or not answer.records:
        return None
    position, total = int(match[2]) + 1, match[3]
    if total not in (None, "*"):
        return _range(pagination, position) if position < int(total) else None
    return _range(pagination, position) if len(answer.records) >= pagination.limit else None


def _range(pagination: RangePagination, position: int) -> str:
    return f"{pagination.range_unit}={position}-{position + pagination.limit - 1}"
