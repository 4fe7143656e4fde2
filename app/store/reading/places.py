"""Where an entry stands in a log that is put together from several tables, and how each of them is read on from there.

Every stream reads rows in the order of (time, id); merged, they are the log. A stream that is asked for a page's length
and one more may be trusted down to its last row.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, Select, text, tuple_

from app.engine.ids import parse_id
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.store.db import paging, shown_times

# Environments differ by orders of magnitude: a plan for the average one may read through all of the largest.
_PLAN_EACH: Final = text("set local plan_cache_mode = force_custom_plan")


class Place(NamedTuple):
    """Where an entry stands; places are in the order of the log, oldest first."""

    at: datetime
    row_id: str
    """Of its row."""
    number: int = 0
    """Among those of one row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The query that each stream answers."""

    environment_id: EnvironmentId
    filters: ListFilters
    after: Place | None

    @property
    def descends(self) -> bool:
        """Whether the newest comes first."""
        return self.filters.sort.startswith("-")

    def among(self, name: str) -> Sequence[Any] | None:
        """Return the values that a filter allows; None when it allows any."""
        wanted = [values for column, values in self.filters.among if column == name]
        if name in self.filters.equal:
            wanted.append([self.filters.equal[name]])
        if not wanted:
            return None
        return [value for value in wanted[0] if all(value in values for values in wanted[1:])]

    def narrow(self, statement: Select[Any], columns: Mapping[str, ColumnElement[Any]]) -> Select[Any]:
        """Narrow a statement by the filters that have these columns."""
        for name, column in columns.items():
            values = self.among(name)
            if values is not None:
                statement = statement.where(column.in_(values))
        return statement

    def page(self, statement: Select[Any], at: Any, row_id: Any) -> Select[Any]:
        """Read on from the last place, in order, as many rows as make a page whatever the first of them holds."""
        for (_, operator), value in self.filters.times.items():
            statement = statement.where(shown_times.is_within(at, operator, value))
        if self.after is not None:
            key, last = tuple_(at, row_id), (self.after.at, self.after.row_id)
            # The last row itself may hold more.
            statement = statement.where(key <= last if self.descends else key >= last)
        return self.order(statement, at, row_id).limit(self.filters.limit + 2)

    def order(self, statement: Select[Any], at: Any, row_id: Any) -> Select[Any]:
        """Put a statement's rows in the order of the log."""
        return statement.order_by(*(column.desc() if self.descends else column.asc() for column in (at, row_id)))

    def is_unread(self, place: Place) -> bool:
        """Whether a place has not been read yet."""
        if self.after is None:
            return True
        return place < self.after if self.descends else place > self.after


def encode(place: Place) -> str:
    """Return a cursor that leads on from a place."""
    return paging.encode_cursor(place.at.isoformat(), place.row_id, str(place.number))


def decode(cursor: str) -> Place:
    """Read what ``encode`` wrote; raise InvalidInputError for anything else."""
    at, row_id, number = paging.decode_cursor(cursor, 3)
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise paging.bad_cursor() from None
    if moment.tzinfo is None or parse_id(row_id) != row_id or number not in ("0", "1"):
        raise paging.bad_cursor()
    return Place(moment, row_id, int(number))


@contextmanager
def read_log(engine: Engine) -> Iterator[Connection]:
    """Yield a connection for the statements of one page of the log, all as of one moment."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(_PLAN_EACH)
        yield connection
