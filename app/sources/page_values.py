"""What every kind of pagination speaks in: what it changes of a request, what it reads of an answer, and its cursor."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.engine.json_types import JSON, JsonObject
from app.engine.loops import CursorTrail


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAsk:
    """What pagination changes of a request."""

    query: JsonObject = field(default_factory=dict)
    """Parameters to add; they win over others of the same name."""
    headers: JsonObject = field(default_factory=dict)
    body: JsonObject = field(default_factory=dict)
    """Fields to add to the body."""
    address: str | None = None
    """The next page's whole address, to ask instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTurn:
    """One answered page, and the cursor behind it; None at the end."""

    records: list[JSON]
    cursor: JsonObject | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAnswer:
    """What pagination reads of an answer."""

    records: list[JSON]
    document: JSON
    links: Iterable[str] = ()
    """The values of its Link headers."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """By their names in lower case."""


def follow(cursor: JsonObject | None, value: JSON) -> JsonObject:
    """Give the cursor of the page that ``value`` stands for, behind the page at ``cursor``."""
    if cursor is None:
        return {"next": value, "current": None, "trail": CursorTrail().to_json()}
    return {"next": value, "current": cursor["next"], "trail": trail(cursor).to_json()}


def trail(cursor: JsonObject) -> CursorTrail:
    """Give the trail up to and with the cursor's own value; raise SourceError when it was there before."""
    current = cursor["current"]
    seen = CursorTrail.from_json(cursor["trail"])
    return seen.follow(None if current is None else _text(current), _text(cursor["next"]))


def _text(value: JSON) -> str:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else str(value)
