"""Search an environment's runs: every filter by an index, the count bounded, pages by their keys."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Engine,
    Select,
    cast,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    tuple_,
    union,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.engine.ids import parse_id
from app.engine.objects.environments import EnvironmentId
from app.engine.status import RunStatus
from app.services.dashboard.run_filters import ArgFilter, RunFilters
from app.services.dashboard.run_lines import MOST_COUNTED, RunLine, RunLines
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import paging
from app.store.db.database import Row
from app.store.reading.places import read_log

_RUN = tables.sync_job_run.c
_ERROR = tables.run_error.c
_ACCOUNT = tables.integrated_account.c
_HAS_ARGS: Final[ColumnElement[bool]] = literal_column("(args <> '{}'::jsonb)", Boolean)
"""The condition of the index, as it is written there."""
_MOST_ACCOUNTS: Final = 1000
"""Of a tenant: the statement names each of so many; of more it asks for them."""

# A search is short, and no plan of it is worth compiling.
_SHORT: Final = text("set local jit = off")
# How many rows have a value of args is not in the statistics, so that a plan in the order of time may read them all.
_BITMAPS_ONLY: Final = (
    text("set local enable_seqscan = off"),
    text("set local enable_indexscan = off"),
    text("set local enable_indexonlyscan = off"),
    text("set local work_mem = '64MB'"),
)
_ANY_PLAN: Final = (
    text("set local enable_seqscan = on"),
    text("set local enable_indexscan = on"),
    text("set local enable_indexonlyscan = on"),
)
_SAMPLED_PERCENT: Final = 0.1
_DENSE: Final = 0.2
"""From this share of the rows on, reading them one after the other finds enough soon."""

_LINES: Final = text("""
    select r.id, r.status, r.sync_job_id as job_id, j.label as job_label,
           r.sync_job ->> 'integration_name' as integration, r.integrated_account_id as account_id, a.tenant_id,
           coalesce(counted.fetched, 0) as fetched, coalesce(counted.errors, 0) as errors,
           r.error ->> 'code' as error_code, r.created_at, r.started_at, r.finished_at
      from unnest(cast(:ids as uuid[])) with ordinality shown (id, place)
      join sync_job_run r on r.id = shown.id
      left join sync_job j on j.id = r.sync_job_id
      left join integrated_account a on a.id = r.integrated_account_id
      left join lateral (
           select sum(fetched)::bigint as fetched, sum(errors - retried)::bigint as errors
             from run_resource where run_id = r.id) counted on true
     order by shown.place
""")


@retry_conflicts
class RunSearch:
    """The runs of all environments, by what they have in common."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def search(
        self, environment_id: EnvironmentId, filters: RunFilters, *, limit: int, next_cursor: str | None = None
    ) -> RunLines:
        """Read a page of the runs that match, newest first; raise InvalidInputError for a foreign cursor."""
        after = None if next_cursor is None else _decode(next_cursor)
        with read_log(self._engine) as connection:
            connection.execute(_SHORT)
            matching = Matching.of(connection, environment_id, filters)
            count = _count(connection, matching)
            rows = _read_places(connection, matching, after, limit=limit + 1, is_sparse=count <= MOST_COUNTED)
            lines = connection.execute(_LINES, {"ids": [row.id for row in rows[:limit]]}).mappings().all()
        last = rows[limit - 1] if len(rows) > limit else None
        return RunLines(
            runs=[_line(row) for row in lines],
            count=min(count, MOST_COUNTED),
            is_capped=count > MOST_COUNTED,
            next_cursor=None if last is None else paging.encode_cursor(last.created_at.isoformat(), str(last.id)),
        )


class Matching:
    """The condition that filters stand for, once it is known which accounts a tenant has."""

    def __init__(
        self,
        environment_id: EnvironmentId,
        filters: RunFilters,
        *,
        accounts: "Sequence[str] | Select[Any] | None" = None,
        is_owned: bool = False,
    ) -> None:
        """``accounts`` are those of the filters' tenant, as ids or as a statement; None when there is no such filter.

        ``is_owned`` says that the filters name a job or an account of the environment, which no other one's runs have.
        """
        self.filters = filters
        self._environment_id = environment_id
        self._accounts = accounts
        self._is_owned = is_owned

    @classmethod
    def of(cls, connection: Connection, environment_id: EnvironmentId, filters: RunFilters) -> "Matching":
        """Look up what the filters name."""
        named = ((tables.sync_job, filters.job_id), (tables.integrated_account, filters.account_id))
        own = [exists().where(table.c.id == id, table.c.environment_id == environment_id) for table, id in named if id]
        is_owned = bool(own) and connection.execute(select(or_(*own))).scalar_one()
        if filters.tenant_id is None:
            return cls(environment_id, filters, is_owned=is_owned)
        mine = select(_ACCOUNT.id).where(_ACCOUNT.environment_id == environment_id)
        mine = mine.where(_ACCOUNT.tenant_id == filters.tenant_id)
        found = [str(id) for id in connection.execute(mine.limit(_MOST_ACCOUNTS + 1)).scalars()]
        accounts = mine if len(found) > _MOST_ACCOUNTS else found
        return cls(environment_id, filters, accounts=accounts, is_owned=True)

    def select(self, *columns: ColumnElement[Any], statuses: Sequence[RunStatus] | None = None) -> Select[Any]:
        """Select the runs that match, for a plan in the order of time; ``statuses`` replace those of the filters."""
        chosen = self.filters.statuses if statuses is None else statuses
        # The index of all runs of the environment may be the one in the order of time.
        statement = self._select(columns, chosen).where(self._is_mine)
        if self.filters.error_code is None:
            return statement
        # An offset keeps Postgres from reading every such error beforehand: it looks for one beside each run.
        return statement.where(or_(self._ended_by_error, exists(self._errors.offset(0))))

    def branches(self, *columns: ColumnElement[Any]) -> Sequence[Select[Any]]:
        """Select the runs that match by statements of which each has an index; a run may be in two of them."""
        statement = self._select(columns, self.filters.statuses)
        if not self._is_owned or self.filters.statuses or self.filters.has_errors:
            # An index of its own leads to a status, by the environment.
            statement = statement.where(self._is_mine)
        if self.filters.error_code is None:
            return [statement]
        return [statement.where(self._ended_by_error), statement.where(exists(self._errors))]

    @property
    def is_in_order(self) -> bool:
        """Whether an index has the runs that match in the order of time, and no others."""
        filters = self.filters
        named = (len(filters.statuses) == 1, filters.has_errors, filters.job_id, filters.account_id)
        ended = filters.finished_from or filters.finished_to
        others = (len(filters.statuses) > 1, filters.tenant_id, filters.args, filters.error_code, ended)
        return sum(map(bool, named)) <= 1 and not any(others)

    def _select(self, columns: Sequence[ColumnElement[Any]], statuses: Sequence[RunStatus]) -> Select[Any]:
        filters = self.filters
        wanted: Sequence[tuple[object, Callable[[], ColumnElement[bool]]]] = (
            (statuses, lambda: _is_any(_RUN.status, [status.value for status in statuses])),
            (filters.has_errors, lambda: _RUN.has_errors),
            (filters.job_id, lambda: _RUN.sync_job_id == filters.job_id),
            (filters.account_id, lambda: _RUN.integrated_account_id == filters.account_id),
            (self._accounts is not None, lambda: self._is_of_tenant),
            (filters.since, lambda: _RUN.created_at >= filters.since),
            (filters.until, lambda: _RUN.created_at < filters.until),
            (filters.finished_from, lambda: _RUN.finished_at >= filters.finished_from),
            # No run ends before it is created, by whose time the list is in order.
            (
                filters.finished_to,
                lambda: (_RUN.finished_at < filters.finished_to) & (_RUN.created_at < filters.finished_to),
            ),
            (filters.args, lambda: _HAS_ARGS),
        )
        conditions = [write() for is_wanted, write in wanted if is_wanted]
        return select(*columns).where(*conditions, *(_contains(arg, _RUN.args) for arg in filters.args))

    @property
    def _is_of_tenant(self) -> ColumnElement[bool]:
        return _is_any(_RUN.integrated_account_id, () if self._accounts is None else self._accounts)

    @property
    def _is_mine(self) -> ColumnElement[bool]:
        return _RUN.environment_id == self._environment_id

    @property
    def _ended_by_error(self) -> ColumnElement[bool]:
        return _RUN.error["code"].astext == self.filters.error_code  # type: ignore[no-any-return]

    @property
    def _errors(self) -> Select[Any]:
        mine = (_ERROR.environment_id == self._environment_id) & (_ERROR.code == self.filters.error_code)
        return select(_ERROR.id).where(mine, _ERROR.run_id == _RUN.id)


def _is_any(column: Any, values: "Sequence[str] | Select[Any]") -> ColumnElement[bool]:
    if isinstance(values, Select) or len(values) != 1:
        return column.in_(values)  # type: ignore[no-any-return]
    return column == values[0]  # type: ignore[no-any-return]


def _contains(arg: ArgFilter, args: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(*(args.op("@>")(cast(literal(one, JSONB), JSONB)) for one in arg.alternatives))


def _count(connection: Connection, matching: Matching) -> int:
    """Count what matches, up to one more than is shown."""
    inner = [select(one.limit(MOST_COUNTED + 1).subquery()) for one in matching.branches(_RUN.id)]
    found = union(*inner) if len(inner) > 1 else inner[0]
    statement = select(func.count()).select_from(found.subquery())
    if not matching.filters.args or _is_dense(connection, matching.filters.args):
        return connection.execute(statement).scalar_one()
    with _bitmaps_only(connection):
        return connection.execute(statement).scalar_one()


@contextmanager
def _bitmaps_only(connection: Connection) -> Iterator[None]:
    for setting in _BITMAPS_ONLY:
        connection.execute(setting)
    yield
    for setting in _ANY_PLAN:
        connection.execute(setting)


def _is_dense(connection: Connection, args: Sequence[ArgFilter]) -> bool:
    """Whether a large part of the table has these args, as a sample of its pages shows."""
    sampled = tables.sync_job_run.tablesample(func.system(_SAMPLED_PERCENT), name="sampled")
    matches = func.count().filter(*(_contains(arg, sampled.c.args) for arg in args))
    count, total = connection.execute(select(matches, func.count()).select_from(sampled)).one()
    return bool(count >= _DENSE * total > 0)


def _read_places(
    connection: Connection, matching: Matching, after: tuple[datetime, str] | None, *, limit: int, is_sparse: bool
) -> Sequence[Any]:
    """Read the keys of one page: of few runs by sorting them all, of many in the order of an index."""
    keys, statuses = (_RUN.id, _RUN.created_at), matching.filters.statuses
    if is_sparse and not matching.is_in_order:
        branches = matching.branches(*keys)
        found = (union(*branches) if len(branches) > 1 else branches[0]).cte("found").prefix_with("materialized")
        with _bitmaps_only(connection) if matching.filters.args else nullcontext():
            return connection.execute(_order(select(found), found.c, after).limit(limit)).all()
    if len(statuses) <= 1:
        return connection.execute(_order(matching.select(*keys), _RUN, after).limit(limit)).all()
    # An index is in the order of time within one status only.
    each = [_order(matching.select(*keys, statuses=[status]), _RUN, after).limit(limit) for status in statuses]
    merged = union_all(*(select(one.subquery()) for one in each)).subquery()
    return connection.execute(_order(select(merged), merged.c, None).limit(limit)).all()


def _order(statement: Select[Any], columns: Any, after: tuple[datetime, str] | None) -> Select[Any]:
    if after is not None:
        statement = statement.where(tuple_(columns.created_at, columns.id) < after)
    return statement.order_by(columns.created_at.desc(), columns.id.desc())


def _decode(cursor: str) -> tuple[datetime, str]:
    at, id = paging.decode_cursor(cursor, 2)
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise paging.bad_cursor() from None
    if moment.tzinfo is None or parse_id(id) is None:
        raise paging.bad_cursor()
    return moment, id


def _line(row: Row) -> RunLine:
    ids = {name: str(row[name]) for name in ("id", "job_id", "account_id")}
    return RunLine(**{**row, **ids, "status": RunStatus(row["status"])})
