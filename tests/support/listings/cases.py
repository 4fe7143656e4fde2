"""The table of lists: every kind of pagination, with every way to end, to lie about it, and to fail on the way to it.

A row says how many of (mostly) 160 records come, after how many requests, and how the end is known.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from app.engine.json_types import JsonObject
from tests.support.listings import answers
from tests.support.listings.listing import PREFIX, Fault, Kind, Last, Listing, filtered, ids

POSITIONS = (Kind.PAGE, Kind.OFFSET)
POINTED = tuple(kind for kind in Kind if not kind.is_counted)
IN_BODY = (Kind.CURSOR, Kind.CURSOR_IN_BODY, Kind.LINK_IN_BODY)
REFUSALS = (400, 404, 416, 422)
PINNED = ("pin", "r1", "pin", "r2", "pin", "r3")
"""Every page begins with the same record."""
MISMATCH = frozenset({"total_mismatch"})
EXPIRED = frozenset({"cursor_expired"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One list, and what it must come to."""

    id: str
    listing: Listing
    requests: int
    ids: list[str]
    reason: str | None = None
    is_proven: bool = True
    error: str | None = None
    warnings: frozenset[str] = frozenset()
    tracks: bool = False


def case(id: str, kind: Kind, requests: int, reason: str, **fields: Any) -> Case:
    """Expect a proven end with all records, unless the fields say otherwise."""
    names = ("is_proven", "error", "warnings", "tracks", "records")
    expected = {name: fields.pop(name) for name in names if name in fields}
    count = expected.pop("records", None)
    listing = Listing(kind=kind, **{"rows": ids(160), **fields})
    return Case(
        id=f"{kind}-{id}", listing=listing, requests=requests, ids=listing.ids[:count], reason=reason, **expected
    )


def failing(id: str, kind: Kind, requests: int, error: str, **fields: Any) -> Case:
    """Expect an error; ``records`` are those that came before."""
    return case(id, kind, requests, "", error=error, is_proven=False, **fields)


def unproven(id: str, kind: Kind, requests: int, reason: str, **fields: Any) -> Case:
    """Expect all records, and an end that may be none."""
    return case(id, kind, requests, reason, is_proven=False, warnings=frozenset({"unproven_end"}), **fields)


def told_ends(kind: Kind) -> Iterator[Case]:
    """Yield what any list of numbered pages may say of its end."""
    for more in [(True, False), ("true", "False"), ("1", "0"), ("yes", "no"), ("Y", "N"), (1, 0), ("on", "off")]:
        yield case(f"has-more-{more[1]}", kind, 4, "no_more", more=more)
    for more in [(True, None), ("more", "")]:
        yield case(f"has-more-{more[1]!r}", kind, 4, "no_more", more=more)
    yield failing("has-more-for-ever", kind, 14, "empty_pages", more=(True, False), is_more_for_ever=True)
    yield case("total-pages", kind, 4, "total_pages", tells_pages=True)
    for told in ("exact", "growing", "shrinking", "text", "first_page_only"):
        yield case(f"total-{told}", kind, 4, "total", told=told)
    yield case("total-in-a-header", kind, 4, "total", told="exact", told_in="header")
    yield case("total-with-tracking", kind, 4, "total", told="exact", tracks=True)
    full: JsonObject = {"rows": ids(50), "told": "exact"}
    yield case("total-of-each-page", kind, 5, "empty_page", told="of_page")
    yield case("total-that-may-be-of-the-page", kind, 2, "total", **full)
    for past_end in (404, "clamp"):
        yield case(f"total-that-may-be-of-the-page-{past_end}", kind, 2, "total", past_end=past_end, **full)
    yield case("total-null", kind, 5, "empty_page", told="null")
    yield case("total-that-is-exceeded", kind, 5, "empty_page", told="small")
    yield failing("total-in-words", kind, 1, "pagination", told="words", records=50)
    yield failing("total-one-too-large", kind, 5, "incomplete", told="large")
    yield failing("total-far-too-large", kind, 14, "empty_pages", told="huge")
    estimate = {"total": "estimate"}
    for told in ("large", "huge"):
        yield case(f"estimate-{told}", kind, 5, "empty_page", told=told, declared=estimate, warnings=MISMATCH)
    yield case("estimate-small", kind, 5, "empty_page", told="small", declared=estimate)


def position_ends(kind: Kind) -> Iterator[Case]:
    """Yield the ends of lists whose pages have numbers."""
    yield case("empty-page", kind, 5, "empty_page")
    yield case("empty-page-after-a-full-one", kind, 4, "empty_page", rows=ids(150))
    yield case("one-page", kind, 2, "empty_page", rows=ids(7))
    yield case("none", kind, 1, "empty_page", rows=[])
    yield case("none-with-tracking", kind, 2, "empty_page", rows=[], tracks=True)
    yield case("empty-page-with-tracking", kind, 6, "empty_page", tracks=True)
    for empty in ({"items": None}, {}, {"meta": {"last": True}}):
        yield case(f"empty-page-is-{json.dumps(empty)}", kind, 5, "empty_page", response=empty)
    yield case("no-limit", kind, 5, "empty_page", limit=None, sizes=(50,))
    for size, requests in [(15, 12), (24, 8), (64, 4), (128, 3)]:
        yield case(f"always-gives-{size}", kind, requests, "empty_page", sizes=(size,))
    yield case("odd-pages", kind, 6, "empty_page", rows=ids(200), sizes=(50, 37))
    yield case("odd-pages-with-a-total", kind, 5, "total", rows=ids(200), sizes=(50, 37), told="exact")
    yield case("short-pages", kind, 5, "empty_page", sizes=(50, 48, 50, 12))
    yield case("declared-short-page", kind, 4, "short_page", declared={"short_page_ends": True})
    yield case("declared-short-page-none", kind, 4, "empty_page", rows=ids(150), declared={"short_page_ends": True})
    for status in REFUSALS:
        yield unproven(f"{status}-past-the-end", kind, 6, "refused", past_end=status)
        declared = {"stop_when": f"status = {status}"}
        yield case(f"declared-{status}-past-the-end", kind, 5, "stop_when", past_end=status, declared=declared)
        yield case(f"{status}-behind-a-total", kind, 4, "total", past_end=status, told="exact")
    yield case("pinned-record", kind, 4, "empty_page", rows=PINNED, sizes=(2,), limit=2)
    yield failing("500-past-the-end", kind, 5, "http_500", past_end=500)
    yield unproven("clamps", kind, 6, "repeated_page", past_end="clamp")
    yield failing("clamps-below-its-total", kind, 6, "incomplete", past_end="clamp", told="large")
    yield failing("clamps-to-its-one-page", kind, 3, "repeated_page", past_end="clamp", rows=ids(30))
    yield case("clamps-to-its-one-page-with-a-total", kind, 1, "total", past_end="clamp", rows=ids(30), told="exact")
    yield failing("ignores-the-position", kind, 3, "repeated_page", ignores_position=True, records=50)
    yield case("stop-when", kind, 4, "stop_when", declared={"stop_when": "body.meta.last = true"})
    yield from told_ends(kind)


def filtered_pages() -> Iterator[Case]:
    """Yield lists of which the server drops rows after it has counted them."""
    kind = Kind.PAGE
    yield case("filtered", kind, 5, "empty_page", rows=filtered(50, 48, 50, 12))
    yield failing("filtered-and-counted", kind, 5, "incomplete", rows=[*ids(159), None], told="large")
    for count in (1, 9, 10, 11):
        rows = filtered(50, *[0] * count, 30)
        yield case(f"{count}-empty-pages-end", kind, 2, "empty_page", rows=rows, records=50)
        if count < 10:
            yield case(f"{count}-promised-empty-pages", kind, count + 2, "no_more", rows=rows, more=(True, False))
            # Its total says where it ends, whatever its pages hold.
            yield failing(
                f"{count}-empty-pages-beyond-a-total", kind, 2, "incomplete", rows=rows, told="exact", records=50
            )
        else:
            yield failing(f"{count}-promised", kind, 11, "empty_pages", rows=rows, more=(True, False), records=50)
        settable = {"max_empty_pages": 12}
        yield case(
            f"{count}-allowed-empty-pages", kind, count + 2, "no_more", rows=rows, more=(1, 0), declared=settable
        )
    late = [Fault(page=3, what=404)]
    yield unproven("refused-behind-an-empty-page", kind, 4, "refused", rows=ids(100), faults=late, tracks=True)
    yield case("one-empty-page-with-tracking", kind, 5, "empty_page", rows=filtered(50, 0, 30), tracks=True)


def range_ends() -> Iterator[Case]:
    """Yield the ends of lists that are asked for by Range."""
    kind = Kind.RANGE
    yield case("content-range", kind, 4, "total")
    yield case("content-range-none", kind, 1, "total", rows=[])
    yield case("content-range-always-15", kind, 11, "total", sizes=(15,))
    yield case("untold-total", kind, 5, "empty_page", content_range="star")
    yield case("untold-total-short-pages", kind, 5, "empty_page", content_range="star", sizes=(50, 48, 50, 12))
    for status in REFUSALS:
        yield unproven(f"{status}-past-the-end", kind, 6, "refused", content_range="star", past_end=status)


def moved_lists(kind: Kind) -> Iterator[Case]:
    """Yield lists that move by one page while they are read: after the first page, in the middle, on the last page."""
    end = "empty_page" if kind.is_counted else "expression" if kind is Kind.DYNAMIC else "no_cursor"
    for after in (1, 2, 3):
        yield moved(f"after-{after}", kind, 6 if kind.is_counted else 5, end, after)
    if kind.is_counted:
        star: JsonObject = {"content_range": "star"}
        yield moved("past-its-last-page", kind, 5, end, 3, rows=ids(150), **star)
        yield moved("and-refuses-past-the-end", kind, 7, "refused", 2, past_end=404, **star)
    if kind in POSITIONS:
        yield moved("and-clamps", kind, 7, "repeated_page", 2, past_end="clamp")
        at_once = {"past_end": "clamp", "rows": ids(150), "moves_after": 3}
        yield unproven("moves-and-clamps-at-once", kind, 5, "repeated_page", **at_once)
        yield moved("and-counts-its-pages", kind, 6, end, 2, tells_pages=True)
        yield moved("and-declares-its-end", kind, 5, "stop_when", 2, declared={"stop_when": "body.meta.last = true"})
        yield moved("and-ends-with-a-short-page", kind, 5, "short_page", 2, declared={"short_page_ends": True})
    if kind is not Kind.RANGE:
        yield moved("and-has-a-page-more", kind, 5, "no_more", 2, more=(True, False), last=Last.EMPTY_PAGE)
    if kind not in (Kind.LINK_HEADER, Kind.DYNAMIC):
        for told in ("exact", "first_page_only", "large"):
            yield moved(f"and-tells-{told}", kind, 6 if kind.is_counted else 5, end, 2, told=told)


def moved(id: str, kind: Kind, requests: int, reason: str, after: int, **fields: Any) -> Case:
    """Expect every record that the list held, nothing proven, and a warning."""
    one = unproven(f"moves-{id}", kind, requests, reason, moves_after=after, **fields)
    return replace(one, warnings=one.warnings | {"list_changed"})


def pointed_ends(kind: Kind) -> Iterator[Case]:
    """Yield the ends of lists whose pages name the next one."""
    end = "expression" if kind is Kind.DYNAMIC else "no_cursor"
    yield case("missing", kind, 4, end)
    yield case("one-page", kind, 1, end, rows=ids(7))
    yield case("none", kind, 1, end, rows=[])
    yield case("none-with-tracking", kind, 1, end, rows=[], tracks=True)
    if kind is not Kind.LINK_HEADER:
        for empty in ({"items": None}, {}):
            yield case(f"empty-page-is-{json.dumps(empty)}", kind, 5, end, last=Last.EMPTY_PAGE, response=empty)
    yield unproven("own-cursor", kind, 5, "repeated_page", last=Last.OWN)
    yield with_ids(
        failing("own-cursor-of-two-pages", kind, 5, "repeated_cursor", last=Last.OWN_OF_TWO),
        [*ids(160), *[f"{id} again" for id in ids(160)[150:]]],
    )
    yield case("pinned-record", kind, 3, end, rows=PINNED, sizes=(2,), limit=2)
    yield case("cursor-of-an-empty-page", kind, 5, end, last=Last.EMPTY_PAGE)
    yield case("empty-page-repeats-its-cursor", kind, 5, "empty_page", last=Last.EMPTY_REPEATS)
    yield failing("endless", kind, 14, "empty_pages", last=Last.ENDLESS)
    yield failing("ignores-the-cursor", kind, 2, "repeated_page", ignores_position=True, records=50)
    for count in (1, 9, 10, 11):
        rows = filtered(50, *[0] * count, 30)
        if count < 10:
            yield case(f"{count}-empty-pages", kind, count + 2, end, rows=rows)
        else:
            yield failing(f"{count}-empty-pages", kind, 11, "empty_pages", rows=rows, records=50)


def body_ends(kind: Kind) -> Iterator[Case]:
    """Yield the ends of lists whose next page stands in the body."""
    for last in (Last.NULL, Last.EMPTY, Last.FALSE):
        yield case(f"last-{last}", kind, 4, "no_cursor", last=last)
    yield failing("last-no-object", kind, 4, "pagination", last=Last.NO_OBJECT)
    optional = {"cursor_path": f"{PREFIX}?.next"}
    yield case("last-no-object-declared", kind, 4, "no_cursor", last=Last.NO_OBJECT, declared=optional)
    yield case("no-more-although-a-cursor", kind, 4, "no_more", last=Last.EMPTY_PAGE, more=(True, False))
    yield failing("total-too-large", kind, 4, "incomplete", told="large")
    yield case("total", kind, 4, "no_cursor", told="exact")
    yield case("estimate", kind, 4, "no_cursor", told="large", declared={"total": "estimate"}, warnings=MISMATCH)
    for broken in ("missing", "null", "no_object"):
        told = {"more": (True, False), "broken_next": broken, "records": 50}
        yield failing(f"more-and-{broken}", kind, 1, "pagination", **told)
    for broken in ("missing", "no_object"):
        yield failing(f"full-page-and-{broken}", kind, 1, "pagination", broken_next=broken, records=50)
    yield failing("no-object-ever", kind, 1, "pagination", last=Last.NO_OBJECT, rows=ids(7))
    for path in ("meta.nxt", "paging.next"):
        yield failing(f"mistyped-{path}", kind, 1, "pagination", declared={"cursor_path": path}, records=50)
    yield case("optional-path", kind, 1, "no_cursor", declared={"cursor_path": "paging?.next"}, rows=ids(7))


def refused_cursors(kind: Kind) -> Iterator[Case]:
    """Yield lists whose cursor is refused, once or for ever: they are requested again from their beginning, once."""
    for status in sorted(answers.EXPIRED):
        first = [Fault(page=0, what=status)]
        yield failing(f"{status}-on-the-first", kind, 1, f"http_{status}", faults=first, records=0)
        for name, page in (("in-the-middle", 2), ("on-the-last", 3)):
            lasting, passing = Fault(page=page, what=status), Fault(page=page, what=status, times=1)
            error, count = f"http_{status}", 50 * page
            twice = failing(f"{status}-{name}", kind, 2 * page + 2, error, faults=[lasting], records=count)
            yield replace(twice, ids=twice.ids * 2, warnings=EXPIRED)
            end = "expression" if kind is Kind.DYNAMIC else "no_cursor"
            once = case(f"{status}-{name}-once", kind, page + 5, end, faults=[passing])
            yield replace(once, ids=[*ids(count), *once.ids], warnings=EXPIRED)


def failures(kind: Kind) -> Iterator[Case]:
    """Yield lists of which one page fails: the first, one in the middle, the last."""
    pointed: frozenset[int] = answers.EXPIRED if kind in POINTED else frozenset()
    for status in sorted({*REFUSALS, 410, 403, 500} - pointed):
        wait = {"past_end": status} if kind.is_counted and status in REFUSALS else {}
        error = f"http_{status}"
        if (kind, status) != (Kind.RANGE, 416):
            yield failing(f"{status}-on-the-first", kind, 1, error, faults=[Fault(page=0, what=status)], records=0)
        middle = [Fault(page=2, what=status)]
        goes_on = kind in POSITIONS and status in REFUSALS
        if goes_on:
            found = [*ids(100), *ids(160)[150:]]
            yield with_ids(failing(f"{status}-in-the-middle", kind, 4, error, faults=middle), found)
        else:
            yield failing(f"{status}-in-the-middle", kind, 3, error, faults=middle, records=100)
        last = [Fault(page=3, what=status)]
        if goes_on:
            yield unproven(f"{status}-on-the-last", kind, 5, "refused", faults=last, records=150, **wait)
            yield unproven(f"{status}-on-the-last-then-empty", kind, 5, "refused", faults=last, records=150)
            for said in ({"told": "exact"}, {"more": (True, False)}, {"tells_pages": True}):
                name = f"{status}-although-{next(iter(said))}"
                yield failing(name, kind, 4, error, faults=last, records=150, **said)
        else:
            yield failing(f"{status}-on-the-last", kind, 4, error, faults=last, records=150)
    for page in (0, 2, 3):
        cut = [Fault(page=page, what="cut")]
        yield failing(f"cut-{page}", kind, page + 1, "disconnected", faults=cut, records=50 * page)


def with_ids(one: Case, found: list[Any]) -> Case:
    """Expect other records than those at the beginning."""
    return Case(id=one.id, listing=one.listing, requests=one.requests, ids=found, error=one.error, is_proven=False)


CASES = [
    *(one for kind in POSITIONS for one in position_ends(kind)),
    *filtered_pages(),
    *range_ends(),
    *(one for kind in Kind for one in moved_lists(kind)),
    *(one for kind in POINTED for one in pointed_ends(kind)),
    *(one for kind in IN_BODY for one in body_ends(kind)),
    case("numbers-from-zero", Kind.CURSOR, 4, "no_cursor", first_cursor=0),
    case("numbers-from-zero-in-body", Kind.CURSOR_IN_BODY, 4, "no_cursor", first_cursor=0),
    case(
        "zero-ends-when-declared",
        Kind.CURSOR,
        1,
        "no_cursor",
        first_cursor=0,
        records=50,
        declared={"end_cursors": [0]},
    ),
    case("results-false", Kind.LINK_HEADER, 4, "no_cursor", last=Last.RESULTS_FALSE),
    *(one for kind in Kind for one in failures(kind)),
    *(one for kind in POINTED for one in refused_cursors(kind)),
    case(
        "declared-short-page-that-promises-more",
        *(Kind.PAGE, 4, "no_more"),
        rows=filtered(50, 48, 50, 12),
        more=(True, False),
        declared={"short_page_ends": True},
    ),
    case(
        "empty-page-repeats-its-cursor-as-text",
        *(Kind.CURSOR, 5, "empty_page"),
        first_cursor=7,
        last=Last.EMPTY_ECHOES,
    ),
    failing(
        "object-of-the-cursor-is-missing-in-the-middle",
        *(Kind.CURSOR, 2, "pagination"),
        broken_next="no_object",
        broken_page=1,
        records=100,
    ),
    replace(
        failing(
            "refused-where-a-cursor-led-to-and-the-total-is-exceeded",
            *(Kind.CURSOR, 6, "http_404"),
            told="of_page",
            faults=[Fault(page=2, what=404)],
        ),
        ids=ids(100) * 2,
        warnings=EXPIRED,
    ),
]
