"""What an upstream's list came to: how its end is known, and what was odd about it (docs/completeness.md)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ListEnd:
    """The end of one list: a fact that the upstream told, or a guess."""

    reason: str
    """A short code, such as ``no_cursor``, ``empty_page`` or ``total``."""
    is_proven: bool = True
    """The upstream said so, by a total, a flag, a missing cursor or an empty page."""


@dataclass(frozen=True, slots=True)
class PageWarning:
    """Something odd that lost no record; a run keeps the count and the first message of each code per resource."""

    code: str
    message: str
    count: int = 1
