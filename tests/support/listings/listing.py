"""One list of a simulated upstream: which records it holds, how it pages, what it says of its end, and what fails."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Literal

from app.engine.json_types import JsonObject

PREFIX = "meta"
"""The object of a body that holds what is said of the list."""

Told = Literal[
    "exact", "large", "huge", "small", "growing", "shrinking", "text", "first_page_only", "null", "words", "of_page"
]
PastEnd = Literal["empty", "clamp", 400, 404, 416, 422, 500]


class Kind(StrEnum):
    """How the next page is asked for."""

    PAGE = "page"
    OFFSET = "offset"
    RANGE = "range"
    CURSOR = "cursor"
    CURSOR_IN_BODY = "cursor_in_body"
    LINK_IN_BODY = "link_in_body"
    LINK_HEADER = "link_header"
    DYNAMIC = "dynamic"

    @property
    def is_counted(self) -> bool:
        """Whether a client names the position itself."""
        return self in (Kind.PAGE, Kind.OFFSET, Kind.RANGE)


class Last(StrEnum):
    """What the last page says in the place of the next one's cursor or address."""

    MISSING = "missing"
    NULL = "null"
    EMPTY = "empty"
    FALSE = "false"
    NO_OBJECT = "no_object"
    """The enclosing object is left out too."""
    OWN = "own"
    """Its own cursor."""
    OWN_OF_TWO = "own_of_two"
    """Its own cursor, by which other records come the next time."""
    EMPTY_PAGE = "empty_page"
    """A cursor of an empty page, which has none."""
    EMPTY_REPEATS = "empty_repeats"
    """A cursor of an empty page, which gives the same cursor."""
    EMPTY_ECHOES = "empty_echoes"
    """The same, but that page writes the cursor as the text that it was asked with."""
    ENDLESS = "endless"
    """A cursor of an empty page, which gives another cursor, and so on."""
    CIRCLE = "circle"
    """The cursor of the second page."""
    RESULTS_FALSE = "results_false"
    """``rel="next"; results="false"``, of an endless row of empty pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with the page at an index."""

    page: int
    what: int | Literal["cut", "limit"]
    """A status, a body that breaks off, or a limit that is over in an hour."""
    times: int | None = None
    """None: for ever."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One list, and what is declared of it in the integration's config."""

    kind: Kind
    rows: Sequence[str | None]
    """Ids in order; None is a row that the server drops from its page, after it has counted it."""
    sizes: Sequence[int] = (50,)
    """The rows of one page after the other, again from the start when there are more pages."""
    limit: int | None = 50
    past_end: PastEnd = "empty"
    ignores_position: bool = False
    """Always the first page."""
    last: Last = Last.MISSING
    next_at: Sequence[str] = (PREFIX, "next")
    """The keys in a body that lead to the next cursor."""
    first_cursor: int | None = None
    """Cursors are numbers from here on."""
    broken_next: Literal["missing", "null", "no_object"] | None = None
    """What stands in the place of a page's cursor although there are more."""
    broken_page: int = 0
    more: tuple[object, object] | None = None
    """How ``meta.more`` says yes and no; None: it is not there."""
    is_more_for_ever: bool = False
    told: Told | None = None
    """How the total that the server tells relates to the truth."""
    told_in: Literal["body", "header"] = "body"
    tells_pages: bool = False
    content_range: Literal["total", "star", "next_range"] = "total"
    faults: Sequence[Fault] = ()
    declared: JsonObject | None = None
    """What the config says beside the names of parameters and paths."""
    moves_after: int | None = None
    """After so many answers there is one page more at the front."""
    response: JsonObject | None = None
    """What the body of an empty list is, in the place of ``{"items": []}``."""

    @cached_property
    def windows(self) -> list[tuple[int, int]]:
        """The rows of each page; an empty list has one page."""
        found: list[tuple[int, int]] = []
        start = 0
        while start < len(self.rows) or not found:
            end = min(start + self.sizes[len(found) % len(self.sizes)], len(self.rows))
            found.append((start, end))
            start = end
        return found

    @property
    def ids(self) -> list[str]:
        """The records that the upstream holds."""
        return [id for id in self.rows if id is not None]

    @property
    def moved(self) -> "Listing":
        """The list with one page more at the front."""
        return replace(self, rows=[*ids(self.sizes[0], "new"), *self.rows], moves_after=None)

    def fault(self, page: int) -> Fault | None:
        """Return what goes wrong with a page."""
        return next((fault for fault in self.faults if fault.page == page), None)


def ids(count: int, name: str = "r") -> list[str | None]:
    """Name so many records."""
    return [f"{name}{number}" for number in range(1, count + 1)]


def filtered(*lengths: int, size: int = 50) -> list[str | None]:
    """Make pages of one size, of which so many rows are left."""
    rows: list[str | None] = []
    for page, length in enumerate(lengths):
        rows += [*ids(length, f"p{page}r"), *[None] * (size - length)]
    return rows


def honest(listing: Listing, names: Sequence[str]) -> Listing:
    """Return a list of the same config that holds these names and says nothing but the truth."""
    return Listing(
        kind=listing.kind,
        rows=list(names),
        sizes=(listing.limit or 50,),
        limit=listing.limit,
        past_end=404 if "404" in str((listing.declared or {}).get("stop_when")) else "empty",
        first_cursor=listing.first_cursor,
        more=listing.more,
        told=None if listing.told is None else "exact",
        told_in=listing.told_in,
        tells_pages=listing.tells_pages,
        content_range=listing.content_range,
        declared=listing.declared,
    )
