"""Listings: which rows are meant, and one page of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, NewType, TypeVar

T = TypeVar("T")


RowVersion = NewType("RowVersion", str)
"""The version of an object that a client has read; any change makes another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a listing: the rows and the opaque cursor of the next page, None at the end."""

    result: list[T]
    next_cursor: str | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFilters:
    """What a listing is narrowed to, and which page of it is meant."""

    equal: Mapping[str, object] = field(default_factory=dict)
    """Column to the value that it must have."""
    among: Sequence[tuple[str, Sequence[object]]] = ()
    """Columns, each with the values of which it must have one."""
    unlike: Sequence[tuple[str, object]] = ()
    """Columns, each with a value that it must not have."""
    times: Mapping[tuple[str, str], object] = field(default_factory=dict)
    """``(column, operator)`` to a time, or to a list of times for ``in``."""
    limit: int = 100
    cursor: str | None = None
    sort: str = "-created_at"
    """The column that it is sorted by, with a dash before it for downwards."""
