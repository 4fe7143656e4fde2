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


class Change(StrEnum):
    """How a record differs from what the webhook was sent."""

    CREATED = "created"
    """It was sent nothing of it, or its deletion."""
    UPDATED = "updated"
    """Its content is another."""
    DELETED = "deleted"
    """A run that has seen all records has not seen it."""
