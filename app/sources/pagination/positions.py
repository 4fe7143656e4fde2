"""Where a counted page is: its number, its offset, or its range (RFC 9110, 14)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.engine.integrations.pagination import Numbered, OffsetPagination, PagePagination, RangePagination
from app.engine.json_types import JSON, JsonObject
from app.sources.pagination import limits
from app.sources.pagination.state import ListState
from app.sources.pagination.values import PageAnswer, PageRequest

_CONTENT_RANGE: Final = re.compile(r"(?:[\w-]+\s+)?(?:(\d{1,18})-(\d{1,18})|\*)(?:/(\d{1,18}|\*))?", re.ASCII)
_DEFAULT_STEP: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRange:
    """What an answer declares of its own range."""

    last: int | None = None
    total: int | None = None
    following: str | None = None
    """Its ``Next-Range``."""
    is_whole: bool = False
    """The server does not support ranges, and answered with the whole list."""


def begin(pagination: Numbered, query: JsonObject) -> ListState:
    """Return the state before the first page, whose position a job's query may name."""
    match pagination:
        case RangePagination():
            return ListState(next=0)
        case PagePagination(page_param=name, first_page=default):
            own = limits.parse_number(query.get(name))
        case OffsetPagination(offset_param=name):
            default, own = 0, limits.parse_number(query.get(name))
    return ListState(next=default if own is None else own, is_part=own not in (None, default))


def build_request(pagination: Numbered, query: JsonObject, position: JSON) -> PageRequest:
    """Return the request for the page at a position."""
    match pagination:
        case RangePagination(range_unit=unit, limit=limit):
            is_given = isinstance(position, str)
            return PageRequest(headers={"Range": position if is_given else f"{unit}={position}-{position + limit - 1}"})
        case PagePagination(page_param=name) | OffsetPagination(offset_param=name):
            return limits.place_parameters(pagination.place, {**limits.build_limit(pagination, query), name: position})


def find_next(pagination: Numbered, position: JSON, count: int, answered: AnswerRange) -> JSON:
    """Return the position behind a page of ``count`` records."""
    match pagination:
        case PagePagination():
            return int(position) + 1
        case RangePagination() if answered.following is not None:
            return answered.following
        case RangePagination() if answered.last is not None:
            return answered.last + 1
        case _:
            return int(position) + count


def find_next_after_empty(pagination: Numbered, state: ListState, query: JsonObject, answered: AnswerRange) -> JSON:
    """Return the position behind a page without records."""
    if answered.following is not None or isinstance(state.next, str):
        return answered.following or state.next
    return int(state.next) + (
        1 if isinstance(pagination, PagePagination) else find_expected_size(pagination, state, query)
    )


def find_expected_size(pagination: Numbered, state: ListState, query: JsonObject) -> int:
    """Return how many records a page is expected to have."""
    return limits.find_limit(pagination, query) or state.size or _DEFAULT_STEP


def read_range(pagination: Numbered, answer: PageAnswer) -> AnswerRange:
    """Read the range that an answer declares."""
    if not isinstance(pagination, RangePagination):
        return AnswerRange()
    last, total = parse_content_range(answer.headers)
    following = answer.headers.get("next-range")
    is_whole = answer.status == 200 and following is None and "content-range" not in answer.headers
    return AnswerRange(last=last, total=total, following=following, is_whole=is_whole and bool(answer.records))


def parse_content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Read the last position and the total of a ``Content-Range``."""
    match = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    if match is None:
        return None, None
    return None if match[2] is None else int(match[2]), None if match[3] in (None, "*") else int(match[3])
