"""The log, of every kind: its filters, the size of its pages, and how far back it is read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.engine.errors import Failure
from app.engine.logs import range as log_range
from app.engine.logs.entries import LogType
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.services.crud import raise_for_failures
from app.services.ports import Clock

MOST: Final = 100
_ENVIRONMENT: Final = "environment_id"
"""A filter of every log; only the caller's own environment has entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """Where the entries of one kind come from."""

    read: Callable[[EnvironmentId, ListFilters], Page[Any]]
    filters: frozenset[str]
    """Beside time."""
    most: int = MOST
    """On a page."""
    is_bounded: bool = True
    """A request spans a month at most."""


class LogService:
    """What happened in an environment."""

    def __init__(self, sources: Mapping[LogType, LogSource], clock: Clock) -> None:
        self._sources = sources
        self._clock = clock

    def read(self, environment_id: EnvironmentId, kind: LogType, filters: ListFilters) -> Page[Any]:
        """Return a page; raise InvalidInputError for filters that this kind of log does not have."""
        source, now = self._sources[kind], self._clock.now()
        failures = [*_unknown_filters(kind, source, filters), *_size_failures(kind, source, filters.limit)]
        if source.is_bounded:
            failures += log_range.check_range(filters.times, now)
            filters = replace(filters, times=log_range.bound_range(filters.times, now))
        raise_for_failures(failures)
        elsewhere = any(environment_id not in values for values in _values(filters, _ENVIRONMENT))
        if elsewhere:
            return Page(result=[], next_cursor=None, limit=filters.limit)
        return source.read(environment_id, _without(filters, _ENVIRONMENT))


def _unknown_filters(kind: LogType, source: LogSource, filters: ListFilters) -> list[Failure]:
    asked = {*filters.equal, *(name for name, _ in filters.among)} - {_ENVIRONMENT}
    known = ", ".join(sorted(source.filters))
    return [
        Failure(name, f"the log of {kind} is not narrowed by it: expected any of {known}")
        for name in sorted(asked - source.filters)
    ]


def _values(filters: ListFilters, name: str) -> list[Sequence[object]]:
    """Return, for each mention of a filter, the values that it matches."""
    equal: list[Sequence[object]] = [[filters.equal[name]]] if name in filters.equal else []
    return [*equal, *(values for column, values in filters.among if column == name)]


def _without(filters: ListFilters, name: str) -> ListFilters:
    equal = {column: value for column, value in filters.equal.items() if column != name}
    return replace(filters, equal=equal, among=tuple(pair for pair in filters.among if pair[0] != name))


def _size_failures(kind: LogType, source: LogSource, limit: int) -> list[Failure]:
    if limit <= source.most:
        return []
    return [Failure("limit", f"expected a number from 1 to {source.most} for the log of {kind}")]
