"""What upstreams hold: tickets and their comments, every one of them derivable from its id.

A world's name is the first part of its path and says all about it: ``<records>-<page size>-<delay in ms>-<label>``.
The label keeps the statistics of rounds apart. Beside its tickets a world has as many marks: tiny ones, which all come
as one page.
"""

import json
import random
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from app.engine.ids import new_id
from app.engine.json_types import JsonObject

COMMENTS_PER_TICKET: Final = 5
_WORDS: Final = (
    *("printer", "login", "refund", "invoice", "dashboard", "export", "import", "timeout", "crash", "billing", "seat"),
    *("password", "reset", "api", "webhook", "latency"),
)
_KINDS_OF_TICKET: Final = 1000
_CACHED_PAGES: Final = 1100  # the two worlds of "growth", 570 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """An upstream of so many tickets in pages of one size, each answer after a delay."""

    records: int
    page_size: int = 1000
    delay_ms: int = 0
    label: str

    @property
    def name(self) -> str:
        """Name the world as its path does."""
        return f"{self.records}-{self.page_size}-{self.delay_ms}-{self.label}"

    @property
    def pages(self) -> int:
        """Count the pages of its tickets."""
        return -(-self.records // self.page_size)


def new_world(records: int, *, page_size: int = 1000, delay_ms: int = 0) -> World:
    """Make a world of one's own."""
    return World(records=records, page_size=page_size, delay_ms=delay_ms, label=new_id()[:8])


def world_named(name: str) -> World:
    """Read a world's name; raises ValueError for any other text."""
    records, page_size, delay_ms, label = name.split("-")
    return World(records=int(records), page_size=int(page_size), delay_ms=int(delay_ms), label=label)


def ticket(id: int) -> JsonObject:
    """Derive a ticket from its id."""
    return {"id": id, **_kind_of_ticket(id % _KINDS_OF_TICKET)}


def comment(id: int) -> JsonObject:
    """Derive a comment from its id, which begins with its ticket's."""
    ticket_id, number = divmod(id, 1000)
    body = " ".join(_WORDS[number % 5 : number % 5 + 10])
    return {"id": id, "ticket_id": ticket_id, "body": body, "created_at": "2026-01-01T00:00:00Z"}


def mark(id: int) -> JsonObject:
    """Derive a mark from its id: a record of some 60 bytes."""
    return {"id": id, "name": f"mark {id:09d}", "is_open": id % 3 == 0}


def comment_ids(ticket_id: int) -> range:
    """List the ids of a ticket's comments."""
    return range(ticket_id * 1000, ticket_id * 1000 + COMMENTS_PER_TICKET)


@lru_cache(maxsize=_CACHED_PAGES)
def ticket_page(records: int, page_size: int, page: int) -> bytes:
    """Encode a page of tickets; those of most worlds stay encoded."""
    return _encode_tickets(page_size, page, first=1, end=records + 1)


def ranged_page(world: World, page: int, *, first: int, end: int) -> bytes:
    """Encode a page of the tickets whose ids are in a range."""
    return _encode_tickets(world.page_size, page, first=first, end=end)


def _encode_tickets(page_size: int, page: int, *, first: int, end: int) -> bytes:
    begin = first + page * page_size
    stop = min(end, begin + page_size)
    rows = b", ".join(b'{"id": %d, %b' % (id, _tail_of_ticket(id % _KINDS_OF_TICKET)) for id in range(begin, stop))
    next_cursor = b'"%d"' % (page + 1) if stop < end else b"null"
    return b'{"data": [%b], "next_cursor": %b}' % (rows, next_cursor)


@lru_cache(maxsize=1)
def mark_page(records: int) -> bytes:
    """Encode all marks of a world."""
    rows = b", ".join(json.dumps(mark(id)).encode() for id in range(1, records + 1))
    return b'{"data": [%b], "next_cursor": null}' % rows


def comment_page(ticket_id: int, page: int = 1) -> bytes:
    """Encode a page of a ticket's comments, of which only the first holds any."""
    comments = [comment(id) for id in comment_ids(ticket_id)] if page == 1 else []
    return json.dumps({"data": comments, "next_cursor": None}).encode()


@cache
def _kind_of_ticket(kind: int) -> JsonObject:
    dice = random.Random(kind)
    return {
        "subject": " ".join(dice.choices(_WORDS, k=6)),
        "description": " ".join(dice.choices(_WORDS, k=30)),
        "status": dice.choice(["open", "pending", "solved"]),
        "priority": dice.choice(["low", "normal", "high"]),
        "requester": {"id": kind % 997, "email": f"user{kind % 997}@example.test"},
        "tags": dice.choices(_WORDS, k=3),
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": f"2026-02-{1 + kind % 28:02d}T00:00:00Z",
    }


@cache
def _tail_of_ticket(kind: int) -> bytes:
    return json.dumps(_kind_of_ticket(kind)).encode()[1:]
