"""Where a counted page is: its number, its offset, or its range (RFC 9110, 14)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.engine.integrations.pagination import Numbered, OffsetPagination, PagePagination, RangePagination
from app.engine.json_types import JSON, JsonObject
from app.sources.pagination import limits
from app.sources.pagination.state import ListState
from app.sources.pagination.values import PageAnswer, PageAsk

_CONTENT_RANGE: Final = re.compile(r"(?:[\w-]+\s+)?(?:(\d{1,18})-(\d{1,18})|\*)(?:/(\d{1,18}|\*))?", re.ASCII)
_DEFAULT_STEP: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRange:
    """What an answer says of its own place, in a list by ranges."""

    last: int | None = None
    total: int | None = None
    following: str | None = None
    """What its ``Next-Range`` names."""
    is_whole: bool = False
    """The server knows no ranges, and has answered with everything."""


def first(pagination: Numbered, query: JsonObject) -> ListState:
    """Return the state of a list that was never begun; a job's query may name where it begins."""
    match pagination:
        case RangePagination():
            return ListState(next=0)
        case PagePagination(page_param=name, first_page=default):
            own = limits.whole(query.get(name))
        case OffsetPagination(offset_param=name):
            default, own = 0, limits.whole(query.get(name))
    return ListState(next=default if own is None else own, is_part=own not in (None, default))


def ask(pagination: Numbered, query: JsonObject, position: JSON) -> PageAsk:
    """Return how to ask for the page at a position."""
    match pagination:
        case RangePagination(range_unit=unit, limit=limit):
            is_told = isinstance(position, str)
            return PageAsk(headers={"Range": position if is_told else f"{unit}={position}-{position + limit - 1}"})
        case PagePagination(page_param=name) | OffsetPagination(offset_param=name):
            return limits.placed(pagination.place, {**limits.added(pagination, query), name: position})


def behind(pagination: Numbered, position: JSON, count: int, told: ToldRange) -> JSON:
    """Return the position behind a page of ``count`` records."""
    match pagination:
        case PagePagination():
            return int(position) + 1
        case RangePagination() if told.following is not None:
            return told.following
        case RangePagination() if told.last is not None:
            return told.last + 1
        case _:
            return int(position) + count


def past(pagination: Numbered, state: ListState, query: JsonObject, told: ToldRange) -> JSON:
    """Return the position behind a page that had no records."""
    if told.following is not None or isinstance(state.next, str):
        return told.following or state.next
    return int(state.next) + (1 if isinstance(pagination, PagePagination) else step(pagination, state, query))


def step(pagination: Numbered, state: ListState, query: JsonObject) -> int:
    """Return how many records a page is due to hold."""
    return limits.of(pagination, query) or state.size or _DEFAULT_STEP


def told_range(pagination: Numbered, answer: PageAnswer) -> ToldRange:
    """Read what an answer says of its place."""
    if not isinstance(pagination, RangePagination):
        return ToldRange()
    last, total = content_range(answer.headers)
    following = answer.headers.get("next-range")
    is_whole = answer.status == 200 and following is None and "content-range" not in answer.headers
    return ToldRange(last=last, total=total, following=following, is_whole=is_whole and bool(answer.records))


def content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Read the last position and the total of a ``Content-Range``."""
    match = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    if match is None:
        return None, None
    return None if match[2] is None else int(match[2]), None if match[3] in (None, "*") else int(match[3])
