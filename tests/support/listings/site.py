"""A simulated upstream: lists by path and owner, answered at the level of HTTP, and every request remembered."""

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.engine.json_types import JSON, JsonObject
from tests.support.listings import cursors, told
from tests.support.listings.listing import PREFIX, Kind, Last, Listing

Place = tuple[str, str | None]
"""A path, and the parent whose children are listed there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a client sent."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: JSON = None

    @property
    def place(self) -> Place:
        return self.path, self.query.get("parent")

    def value(self, name: str) -> JSON:
        """Read a parameter, wherever it was put."""
        held = self.body if isinstance(self.body, dict) else {}
        return self.query.get(name, held.get(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What it is answered."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    document: JSON = None
    fault: Literal["cut"] | None = None

    @property
    def body(self) -> bytes:
        return json.dumps(self.document).encode()


@dataclass(frozen=True, slots=True)
class Turned:
    """The page that a request is for."""

    index: int
    start: int
    end: int
    is_past: bool = False
    cursor: str | None = None


class Site:
    """Answers requests for its lists; another path, or another parent, is answered 404."""

    def __init__(self, lists: Mapping[Place, Listing]) -> None:
        self.lists = dict(lists)
        self.requests: list[Asked] = []
        self.turned: Counter[tuple[Place, int]] = Counter()
        """How often each page was asked for."""
        self._counts: Counter[Place] = Counter()
        self._failed: Counter[tuple[Place, int]] = Counter()
        self._lock = threading.Lock()

    def answer(self, asked: Asked) -> Answer:
        """Answer one request; callable from any thread."""
        with self._lock:
            self.requests.append(asked)
            self._counts[asked.place] += 1
            listing = self.lists.get(asked.place)
            if (
                listing is not None
                and listing.moves_after is not None
                and self._counts[asked.place] > listing.moves_after
            ):
                listing = self.lists[asked.place] = listing.moved
            if listing is None:
                return Answer(status=404, document={"error": f"there is no {asked.place}"})
            turned = _turn(listing, asked)
            self.turned[asked.place, turned.index] += 1
            return self._faulty(asked.place, listing, turned) or _answer(self, listing, asked, turned)

    def count(self, place: Place) -> int:
        """Count the requests for a list."""
        return self._counts[place]

    def _faulty(self, place: Place, listing: Listing, turned: Turned) -> Answer | None:
        fault = listing.fault(turned.index)
        if fault is None or (fault.times is not None and self._failed[place, fault.page] >= fault.times):
            return None
        self._failed[place, fault.page] += 1
        if fault.what == "cut":
            return Answer(fault="cut")
        if fault.what == "limit":
            return Answer(status=429, headers={"Retry-After": "3600"}, document={"error": "come back later"})
        return Answer(status=fault.what, document={"error": "this page fails"})


def _turn(listing: Listing, asked: Asked) -> Turned:
    if listing.ignores_position:
        return Turned(0, *listing.windows[0])
    match listing.kind:
        case Kind.PAGE:
            return _numbered(listing, int(str(asked.value("page"))) - 1)
        case Kind.OFFSET:
            return _positioned(listing, int(str(asked.value("offset"))))
        case Kind.RANGE:
            begin = asked.headers["range"].partition("=")[2].partition("-")[0]
            return _positioned(listing, int(begin))
        case _:
            return _pointed(listing, asked.value("after"))


def _numbered(listing: Listing, index: int) -> Turned:
    if index < len(listing.windows):
        return Turned(index, *listing.windows[index])
    return _past(listing, index)


def _positioned(listing: Listing, start: int) -> Turned:
    for index, (begin, end) in enumerate(listing.windows):
        if begin <= start < end or start == end == 0:
            return Turned(index, start, min(start + listing.sizes[index % len(listing.sizes)], len(listing.rows)))
    return _past(listing, len(listing.windows))


def _past(listing: Listing, index: int) -> Turned:
    if listing.past_end == "clamp":
        return Turned(len(listing.windows) - 1, *listing.windows[-1])
    return Turned(index, len(listing.rows), len(listing.rows), is_past=True)


def _pointed(listing: Listing, cursor: JSON) -> Turned:
    index = 0 if cursor is None else cursors.index_of(listing, str(cursor))
    told_cursor = None if cursor is None else str(cursor)
    if index < len(listing.windows):
        return Turned(index, *listing.windows[index], cursor=told_cursor)
    return Turned(index, len(listing.rows), len(listing.rows), is_past=True, cursor=told_cursor)


def _answer(site: Site, listing: Listing, asked: Asked, turned: Turned) -> Answer:
    if turned.is_past and listing.kind.is_counted and isinstance(listing.past_end, int):
        return Answer(status=listing.past_end, document={PREFIX: {"last": True}, "error": "there is no such page"})
    found = [
        {"id": id, "open": (asked.path, id) in site.lists}
        for id in _shown(site, listing, asked, turned)
        if id is not None
    ]
    is_last = turned.end >= len(listing.rows)
    following, headers = _following(listing, asked, turned, is_last=is_last)
    about: JsonObject = {"last": is_last, **told.about(listing, turned.index, is_last=is_last)}
    document: JsonObject = {"items": found, PREFIX: about}
    if following is cursors.NO_OBJECT:
        del document[listing.next_at[0]]
    elif following is not cursors.MISSING:
        _put(document, listing.next_at, following)
    if not found and listing.response is not None:
        document = listing.response
    return Answer(
        status=206 if listing.kind is Kind.RANGE else 200,
        headers={**told.headers(listing, turned.index), **headers},
        document=document,
    )


def _shown(site: Site, listing: Listing, asked: Asked, turned: Turned) -> Sequence[str | None]:
    rows = listing.rows[turned.start : turned.end]
    if listing.last is Last.OWN_OF_TWO and site.turned[asked.place, turned.index] > 1:
        return [f"{row} again" for row in rows]
    return rows


def _put(document: JsonObject, keys: Sequence[str], value: JSON) -> None:
    for key in keys[:-1]:
        document = document.setdefault(key, {})
    document[keys[-1]] = value


def _following(listing: Listing, asked: Asked, turned: Turned, *, is_last: bool) -> tuple[JSON, Mapping[str, str]]:
    """Return what the body, if anything, and the headers say of the next page."""
    if listing.kind is Kind.RANGE:
        return cursors.MISSING, told.ranges(listing, turned.start, turned.end)
    if listing.kind.is_counted:
        return cursors.MISSING, {}
    if listing.ignores_position:
        is_last = len(listing.windows) == 1
    value = cursors.after(listing, turned.index, turned.cursor, is_last=is_last)
    has_none = value is cursors.MISSING
    if listing.kind is Kind.LINK_HEADER:
        return cursors.MISSING, {} if has_none else _link(listing, asked, value, is_last=is_last)
    if listing.kind is Kind.LINK_IN_BODY and isinstance(value, str) and value:
        value = f"{asked.path}?after={value}{_parent(asked)}"
    return value, {}


def _link(listing: Listing, asked: Asked, value: JSON, *, is_last: bool) -> Mapping[str, str]:
    results = f'; results="{str(not is_last).lower()}"' if listing.last is Last.RESULTS_FALSE else ""
    return {"Link": f'<{asked.path}?after={value}{_parent(asked)}>; rel="next"{results}'}


def _parent(asked: Asked) -> str:
    parent = asked.query.get("parent")
    return "" if parent is None else f"&parent={parent}"
