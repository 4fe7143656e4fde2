"""Draw upstreams that page, end, lie and fail by chance (Hypothesis)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from app.engine.json_types import JsonObject
from tests.support.listings.listing import Fault, Kind, Last, Listing, ids

_FLAGS: Final = ((True, False), ("true", "false"), ("1", "0"), (1, 0), ("yes", "no"), (True, None))
_TOTALS: Final = ("exact", "exact", "large", "huge", "small", "growing", "shrinking", "text", "first_page_only", "null")
_LASTS: Final = {
    Kind.LINK_HEADER: (
        *(Last.MISSING, Last.OWN, Last.EMPTY_PAGE, Last.EMPTY_REPEATS, Last.ENDLESS, Last.CIRCLE),
        Last.RESULTS_FALSE,
    ),
}
_IN_BODY: Final = tuple(last for last in Last if last not in (Last.RESULTS_FALSE, Last.EMPTY_ECHOES))
_STATUSES: Final = (400, 404, 416, 422, 500, 403)


@st.composite
def shapes(draw: Any) -> Listing:
    """Draw how a list is paged and what is declared of it: what its integration's config fixes."""
    kind = draw(st.sampled_from(Kind))
    shape = Listing(kind=kind, rows=[], limit=draw(st.integers(1, 4)))
    if draw(st.booleans()):
        shape = replace(shape, told="exact", told_in=draw(st.sampled_from(["body", "header"])))
    if draw(st.booleans()) and kind not in (Kind.LINK_HEADER, Kind.DYNAMIC):
        shape = replace(shape, more=draw(st.sampled_from(_FLAGS)))
    if kind in (Kind.PAGE, Kind.OFFSET):
        shape = replace(shape, tells_pages=draw(st.integers(0, 4)) == 0)
    if kind is Kind.RANGE:
        shape = replace(shape, content_range=draw(st.sampled_from(["total", "star"])))
    if kind is Kind.CURSOR:
        shape = replace(shape, first_cursor=draw(st.sampled_from([None, None, 0])))
    return replace(shape, declared=_declared(draw, shape))


@st.composite
def listings(draw: Any, shape: Listing, names: Sequence[str]) -> Listing:
    """Draw what a list of a shape is like: it holds some of these names, in order."""
    held = draw(st.lists(st.sampled_from(names), unique=True, max_size=len(names)).map(sorted))
    rows = _with_hidden_rows(draw, held) if _may_hide(shape) and draw(st.integers(0, 3)) == 0 else held
    listing = replace(shape, rows=rows, sizes=draw(_sizes(shape.limit or 1)))
    if shape.told is not None:
        listing = replace(listing, told=draw(st.sampled_from(_TOTALS)))
    return _with_faults(draw, _with_lies(draw, listing))


def parents(shape: Listing, names: Sequence[str]) -> SearchStrategy[Listing]:
    """Draw a list whose records lead to other lists: it runs in no circle, in which these would come twice."""
    return listings(shape, names).filter(lambda listing: listing.last is not Last.CIRCLE)


def any_listing() -> SearchStrategy[Listing]:
    """Draw one list of any shape."""
    names = [str(id) for id in ids(9)]
    return shapes().flatmap(lambda shape: listings(shape, names))


def any_moving_listing() -> SearchStrategy[Listing]:
    """Draw one list of any shape, which may move by a page while it is read."""
    moves = st.sampled_from([None, None, 1, 2, 3])
    return st.builds(lambda one, after: replace(one, moves_after=after), any_listing(), moves)


def _declared(draw: Any, shape: Listing) -> JsonObject:
    declared: JsonObject = {}
    if shape.told is not None and draw(st.booleans()):
        declared["total"] = draw(st.sampled_from(["exact", "estimate"]))
    if draw(st.integers(0, 3)) == 0:
        declared["max_empty_pages"] = draw(st.integers(1, 12))
    if shape.kind.is_counted and draw(st.integers(0, 5)) == 0:
        declared["short_page_ends"] = True
    if draw(st.integers(0, 4)) == 0:
        stops = ["status = 404", "body.meta.last = true"] if shape.kind.is_counted else ["body.meta.last = true"]
        declared["stop_when"] = draw(st.sampled_from(stops))
    return declared


def _may_hide(shape: Listing) -> bool:
    """Whether rows may be dropped from pages: where positions count rows, totals of records can not be met by them."""
    return shape.kind is not Kind.RANGE and not (shape.kind is Kind.OFFSET and shape.told is not None)


def _with_hidden_rows(draw: Any, held: Sequence[str]) -> list[str | None]:
    rows: list[str | None] = []
    for id in [*held, None]:
        rows += [*[None] * draw(st.sampled_from([0, 0, 0, 1, 2, 5, 12])), id]
    return rows


def _sizes(limit: int) -> SearchStrategy[tuple[int, ...]]:
    """Draw the rows of pages: as asked for, another number, or now so, now so."""
    one = st.integers(1, 5).map(lambda size: (size,))
    return st.one_of(st.just((limit,)), one, st.lists(st.integers(1, 5), min_size=2, max_size=3).map(tuple))


def _with_lies(draw: Any, listing: Listing) -> Listing:
    kind = listing.kind
    if draw(st.integers(0, 9)) == 0:
        return replace(listing, ignores_position=True)
    if listing.more is not None and draw(st.integers(0, 5)) == 0:
        listing = replace(listing, is_more_for_ever=True)
    if kind.is_counted:
        ends = ["empty", "empty", "clamp", *_STATUSES[:5]]
        return replace(listing, past_end=draw(st.sampled_from(ends)))
    lasts: tuple[Last, ...] = _LASTS.get(kind, _IN_BODY)
    if listing.told is not None:
        # What comes twice in a circle counts towards a total: how often it comes is no matter of the rules.
        lasts = tuple(last for last in lasts if last is not Last.CIRCLE)
    listing = replace(listing, last=draw(st.sampled_from(lasts)))
    if kind not in (Kind.LINK_HEADER, Kind.DYNAMIC) and draw(st.integers(0, 7)) == 0:
        listing = replace(listing, broken_next=draw(st.sampled_from(["missing", "null", "no_object"])))
    return listing


def _with_faults(draw: Any, listing: Listing) -> Listing:
    """Let up to two pages fail for good; a status that is declared to be the end is none of a fault."""
    count = draw(st.sampled_from([0, 0, 1, 2]))
    statuses = [status for status in _STATUSES if str(status) not in str((listing.declared or {}).get("stop_when"))]
    pages = st.integers(0, len(listing.windows))
    one = st.builds(lambda page, what: Fault(page=page, what=what), pages, st.sampled_from([*statuses, "cut"]))
    return replace(
        listing, faults=draw(st.lists(one, min_size=count, max_size=count, unique_by=lambda each: each.page))
    )
