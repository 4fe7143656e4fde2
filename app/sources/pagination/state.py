"""How far a list is read: the cursor behind its last page, as JSON whose keys are the names of fields."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.engine.records.rows import encode
from app.engine.runs.frontier import CursorTrail

_AT_ONCE_BYTES: Final = 2047
"""For more, hashlib releases the interpreter's lock, and the event loop waits to get it back: 1.6 ms a page."""
_FINGERPRINT_BYTES: Final = 16
_MOST_HASHED: Final = 64
"""Of a longer page so many records, evenly spread, are hashed: hashing a thousand costs a tenth of their write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListState:
    """A list between two pages."""

    next: JSON = None
    """The position of the page to ask for: a number, a cursor, an address, or an expression's values."""
    pages: int = 0
    """Pages that had records."""
    asked: int = 0
    """Pages that were answered."""
    got: int = 0
    """Records so far."""
    size: int | None = None
    """The records of the first page."""
    seen: str | None = None
    """The fingerprint of the last page that had records."""
    total: int | None = None
    """The last total that the upstream declared."""
    told_pages: int | None = None
    """The last number of pages that it declared."""
    empty: int = 0
    """Empty pages in a row that declared more."""
    is_promised: bool = False
    """The last page declared a next one."""
    is_confirming: bool = False
    """The last page was empty: the next one has to be empty too."""
    is_asked_again: bool = False
    """The last page named its own cursor: the same page is requested once more."""
    repeated_at: JSON = None
    """The position of the last page, which repeated the one before: the next answer shows whether the list moved."""
    is_moved: bool = False
    """A page repeated the one before and the next one did not: the list moved by a page while it was read."""
    refused: JsonObject | None = None
    """The error of a refused position; the answer for the next one shows whether the list ended there."""
    is_part: bool = False
    """Its pages are not the list's pages from the first one on: no total can be compared with what they hold."""
    stretch: JsonObject | None = None
    """The pages that were requested out of turn and are not checked yet (``stretches``)."""
    alone: int = 0
    """Until so many pages are answered, each is requested after the answer to the one before."""
    shifts: int = 0
    """How often the list has changed under pages that were requested out of turn."""
    restarts: int = 0
    """How often the list was requested again from its beginning, because the upstream refused its cursor."""
    trail: CursorTrail = field(default_factory=CursorTrail)

    @property
    def is_at_start(self) -> bool:
        """Whether the first page is next, which a state tells only of a list that was requested before."""
        return self.restarts > 0 and not self.asked

    @property
    def has_moved(self) -> bool:
        """Whether the list moved while it was read, unless the next page repeats the last one once more."""
        return self.is_moved or self.repeated_at is not None

    @property
    def is_short(self) -> bool:
        """Whether the upstream declared more records than it has returned."""
        return self.total is not None and self.got < self.total and not self.is_part

    @property
    def is_met(self) -> bool:
        """Whether the upstream has returned as many records as it declared; a total that is exceeded is wrong."""
        return self.got == self.total and not self.is_part

    def add_page(self, records: list[JSON], *, total: int | None, told_pages: int | None = None) -> "ListState":
        """Return the state after a page."""
        known = self.total if total is None else total
        after = replace(
            self,
            asked=self.asked + 1,
            total=known,
            told_pages=self.told_pages if told_pages is None else told_pages,
            is_promised=False,
            is_confirming=False,
            is_asked_again=False,
            repeated_at=None,
            is_moved=self.has_moved,
            is_part=self.is_part or self.has_moved,
            refused=None,
        )
        if not records:
            return after
        return replace(
            after,
            pages=self.pages + 1,
            got=self.got + len(records),
            size=len(records) if self.size is None else self.size,
            seen=compute_fingerprint(records),
            empty=0,
        )

    def repeat_page(self, *, total: int | None, told_pages: int | None = None) -> "ListState":
        """Return the state after a page that repeats the one before: its records are none of the list's."""
        return replace(self.add_page([], total=total, told_pages=told_pages), repeated_at=self.next)

    def to_json(self) -> JsonObject:
        """Return the fields that differ from the state before the first page."""
        written = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "trail"}
        kept = {name: value for name, value in written.items() if value != _DEFAULTS[name]}
        return kept if self.trail == CursorTrail() else {**kept, "trail": self.trail.to_json()}

    @classmethod
    def from_json(cls, value: JsonObject | None) -> "ListState":
        """Read what ``to_json`` wrote, in this or an earlier version; None is the state before the first page."""
        if value is None:
            return cls()
        known: dict[str, Any] = {name: value[name] for name in _DEFAULTS if name in value}
        if "position" in value:  # a page or an offset, as version 0.1 kept it
            known |= {"next": value["position"], "pages": 2, "asked": 2, "is_part": True}
        elif "current" in value:  # a cursor, as version 0.1 kept it
            known |= {"pages": 2, "asked": 2, "is_part": True}
        return cls(**known, trail=CursorTrail.from_json(value.get("trail") or {}))


_DEFAULTS: Final = {one.name: getattr(ListState(), one.name) for one in fields(ListState) if one.name != "trail"}


def advance_to(state: ListState, before: ListState, value: JSON) -> ListState:
    """Return the state with the next position ``value``; raise SourceError ``repeated_cursor`` when it came before."""
    current = format_position(before.next) if before.asked else None
    return replace(state, next=value, trail=before.trail.follow(current, format_position(value)))


def compute_fingerprint(records: list[JSON], part: Callable[[JSON], JSON] | None = None) -> str:
    """Return a hash that identifies a page, by a part of its records or by all of them."""
    count = len(records)
    step = max(1, count // _MOST_HASHED)
    sample = records if step == 1 else [*records[::step], records[-1]]
    sample = sample if part is None else [part(record) for record in sample]
    text, hashed = memoryview(encode([count, sample])), hashlib.blake2b(digest_size=_FINGERPRINT_BYTES)
    for start in range(0, len(text), _AT_ONCE_BYTES):
        hashed.update(text[start : start + _AT_ONCE_BYTES])
    return hashed.hexdigest()


def format_position(value: JSON) -> str:
    """Return a position as text."""
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else str(value)


def encode_error(error: SourceError, at: JSON) -> JsonObject:
    """Return the error of a refused position as JSON."""
    return {
        "at": at,
        "code": error.code,
        "message": error.message,
        "status": error.status,
        "excerpt": error.excerpt,
    }


def decode_error(refused: JsonObject) -> SourceError:
    """Return the error of a refused position that has records behind it."""
    return SourceError(
        refused["code"],
        f"{refused['message']}; but the page behind it has records",
        status=refused["status"],
        excerpt=refused["excerpt"],
    )
