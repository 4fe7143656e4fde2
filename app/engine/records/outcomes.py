"""What became of a page and its records: the end of its list, warnings, changes (docs/completeness.md)."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class ListEnd:
    """The end of one list: a fact that the upstream stated, or a guess."""

    reason: str
    """A short code, such as ``no_cursor``, ``empty_page`` or ``total``."""
    is_proven: bool = True
    """The upstream said so, by a total, a flag, a missing cursor or an empty page."""


@dataclass(frozen=True, slots=True)
class PageWarning:
    """A warning: no record was lost; a run keeps the count and the first message of each code per resource."""

    code: str
    message: str
    count: int = 1


class ReadingWay(StrEnum):
    """How the pages of a list are requested."""

    PARALLEL = "parallel"
    """Several at once, whose positions are known before the pages are."""
    AHEAD = "ahead"
    """The next page while the previous one is stored."""
    PARTS = "parts"
    """It is cut into parts, each of which is a list of its own."""
    SEQUENTIAL = "sequential"
    """The next page once the previous one is stored."""


class ReadingReason(StrEnum):
    """Why the pages of a list are requested in that way."""

    TOTAL = "total"
    """The upstream declares how long the list is."""
    CHECKED = "checked"
    """An earlier page is requested again, to notice a list that changes."""
    CURSOR = "cursor"
    """Only a page knows where the next one is."""
    PARTITION = "partition"
    """The method has a ``partition``."""
    CONFIGURED = "configured"
    """``parallel`` is false in the pagination."""
    SETTING = "setting"
    """``FERRYMAN_READ_AHEAD_BYTES`` is 0."""
    LIST_CHANGED = "list_changed"
    """The list has changed too often while several pages were requested."""
    NOT_REPEATABLE = "not_repeatable"
    """The request may change something upstream."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the pages of a list are requested, and why."""

    way: ReadingWay
    reason: ReadingReason


class Change(StrEnum):
    """How a record differs from what the webhook was sent."""

    CREATED = "created"
    """It was sent nothing of it, or its deletion."""
    UPDATED = "updated"
    """Its content is another."""
    DELETED = "deleted"
    """A run that has seen all records has not seen it."""
