"""The audit log, page by page: entries that triggers wrote (migration 0031), and the starts of the runs that there are.

Both lists are read by their own indexes and merged: a page of one that is left out costs a look.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Engine, Select, Table, bindparam, literal_column, select

from app.engine.ids import parse_id
from app.engine.objects.audit import AuditEntry
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import owned_rows, paging
from app.store.db.database import Row, reading
from app.store.db.owned_rows import build_object, select_in
from app.store.db.paging import Columns
from app.store.runs import starts

_ENTRY: Final = tables.audit_entry
_START: Final = tables.run_start
_RUN: Final = tables.sync_job_run
_OF_STARTS: Final[Columns] = {
    "action": literal_column(f"text '{starts.ACTION}'"),
    "object_type": literal_column("text 'sync_job_run'"),
    "integrated_account_id": _RUN.c.integrated_account_id,
}
_COLUMNS: Final[Columns] = {**_OF_STARTS, "actor_kind": _START.c.actor_kind, "actor_id": _START.c.actor_id}
_STARTS: Final = (
    select(
        _START,
        *(column.label(name) for name, column in _OF_STARTS.items()),
        literal_column("cast(run_start.id as text)").label("object_id"),
        literal_column("null").label("before"),
        literal_column(starts.AFTER).label("after"),
    )
    .join(_RUN, _RUN.c.id == _START.c.id)
    .where(_START.c.environment_id == bindparam("environment"))
)
_ONE_START: Final = _STARTS.where(_START.c.id == bindparam("id"))


@retry_conflicts
class AuditReader:
    """The entries of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, environment_id: EnvironmentId, id: str) -> AuditEntry | None:
        """Read one entry; that of a run's start has the id of the run."""
        row = owned_rows.find_row(self._engine, _ENTRY, environment_id, id)
        if row is None:
            with reading(self._engine) as connection:
                found = connection.execute(_ONE_START, {"environment": environment_id, "id": id})
                row = found.mappings().one_or_none()
        return _entry(row) if row else None

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[AuditEntry]:
        """Read a page of entries."""
        with reading(self._engine) as connection:
            entries = _read_page(connection, select_in(_ENTRY, environment_id), _ENTRY, filters, {})
            of_environment = _STARTS.params(environment=environment_id)
            of_starts = _narrow_to_ids(filters)
            # An account's are found by its runs, which have the same times.
            table = _RUN if any(name == "integrated_account_id" for name, _ in of_starts.among) else _START
            begun = _read_page(connection, of_environment, table, of_starts, _COLUMNS)
        return _merge(
            [*entries.result, *begun.result], filters, has_more=bool(entries.next_cursor or begun.next_cursor)
        )


def _read_page(
    connection: Connection, statement: Select[Any], table: Table, filters: ListFilters, columns: Columns
) -> Page[AuditEntry]:
    narrowed = paging.narrow(statement, table, filters, columns)
    place: dict[str, Any] = {"limit": filters.limit, "cursor": filters.cursor, "sort": filters.sort}
    return paging.read_page(connection, narrowed, table, _entry, **place)


def _narrow_to_ids(filters: ListFilters) -> ListFilters:
    """Narrow starts by their own ids where a list is narrowed by objects."""
    wanted = [*filters.among, *((name, [value]) for name, value in filters.equal.items())]
    among = [("id", _list_ids(values)) if name == "object_id" else (name, values) for name, values in wanted]
    return replace(filters, equal={}, among=among)


def _list_ids(values: Sequence[object]) -> list[str]:
    return [id for value in values if (id := parse_id(str(value))) is not None]


def _merge(found: list[AuditEntry], filters: ListFilters, *, has_more: bool) -> Page[AuditEntry]:
    found.sort(key=lambda entry: (entry.created_at, entry.id), reverse=filters.sort.startswith("-"))
    shown = found[: filters.limit]
    has_next = has_more or len(found) > len(shown)
    cursor = paging.encode_place(filters.sort, shown[-1].created_at, shown[-1].id) if has_next else None
    return Page(result=shown, next_cursor=cursor, limit=filters.limit)


def _entry(row: Row) -> AuditEntry:
    return build_object(AuditEntry, row)
