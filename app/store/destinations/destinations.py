"""Destinations in Postgres: what they are, how far they are, and how they are paused, woken and filled anew."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Engine, RowMapping, text

from app.engine.ids import parse_id
from app.engine.objects.destinations import (
    Deletes,
    Destination,
    DestinationCursor,
    DestinationProgress,
    Layout,
    QuarantinedRecord,
    WriteMode,
)
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import Page, RowVersion
from app.engine.status import CursorStatus
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import paging
from app.store.db.database import Row, reading
from app.store.db.owned_rows import OwnedStore, build_object

_PAUSE: Final = text("""
    update destination set paused_at = case when :is_paused then coalesce(paused_at, now()) end, updated_at = now()
     where id = :id and environment_id = :environment_id
 returning *
""")
_WAKE: Final = text("""
    update destination_cursor set due_at = now(), rung_at = null where destination_id = :id and due_at > now()
""")
_WAKE_DATASTORE: Final = text("""
    update destination_cursor c set due_at = now(), rung_at = null
      from destination d
     where d.id = c.destination_id and d.datastore_id = :id and c.due_at > now()
""")
_NEXT_EPOCH: Final = text("""
    update destination set epoch = epoch + 1, updated_at = now() where id = :id and environment_id = :environment_id
 returning *
""")
# A higher fence refuses what is under way.
_BEGIN_ANEW: Final = f"""
    update destination_cursor c
       set cursor = least(cursor, {{cursor}}), epoch = :epoch, is_rebuilding = is_rebuilding or :is_rebuild,
           range_through = null, listed_through = 0,
           fence = fence + 1, status = '{CursorStatus.WAITING}', lease_owner = null, lease_until = null,
           due_at = now(), rung_at = null,
           attempts = 0, failing_since = null, last_error = null, error_code = null,
           "read" = 0, written = 0, unchanged = 0, quarantined = 0, filtered = 0
"""
_BACKFILL: Final = text(f"{_BEGIN_ANEW.format(cursor=':cursor')} where destination_id = :id")
_BACKFILL_QUARANTINED: Final = text(f"""
    {_BEGIN_ANEW.format(cursor="q.first - 1")}
      from (select integrated_account_id, min(sequence) as first from destination_quarantine
             where destination_id = :id group by 1) q
     where c.destination_id = :id and c.integrated_account_id = q.integrated_account_id
""")
OLDEST: Final = """
    (select r.updated_at from record r
      where r.integrated_account_id = c.integrated_account_id and r.sequence >= 0 and r.sequence > c.cursor
      order by r.sequence limit 1)
"""
"""Since when the oldest entry waits that is not written; numbers of events are none."""
_WAITS: Final = f"coalesce(extract(epoch from now() - {OLDEST}), 0)"
_CURSORS: Final = text(f"""
    select c.*, coalesce(l.last_sequence, 0) as last_sequence, {_WAITS} as lag_seconds
      from destination_cursor c
      left join account_log l on l.integrated_account_id = c.integrated_account_id
     where c.destination_id = :id and (cast(:after as uuid) is null or c.integrated_account_id > cast(:after as uuid))
     order by c.integrated_account_id limit :limit
""")
_PROGRESS: Final = text(f"""
    select c.destination_id, count(*) as accounts,
           count(*) filter (where c.status = '{CursorStatus.FAILING}') as failing,
           count(*) filter (where c.is_rebuilding) as rebuilding,
           coalesce(sum(greatest(0, l.last_sequence - c.cursor)), 0) as lag_records,
           coalesce(max(case when l.last_sequence > c.cursor then {_WAITS} else 0 end), 0) as lag_seconds,
           (array_agg(c.last_error order by c.failing_since desc)
                filter (where c.last_error is not null))[1] as last_error,
           sum(c.read) as read, sum(c.written) as written, sum(c.unchanged) as unchanged,
           sum(c.quarantined) as quarantined, sum(c.filtered) as filtered
      from destination_cursor c
      left join account_log l on l.integrated_account_id = c.integrated_account_id
     where c.destination_id = any(cast(:ids as uuid[]))
     group by c.destination_id
""")

_QUARANTINED: Final = text("""
    select integrated_account_id, resource, remote_id, sequence, reason, created_at
      from destination_quarantine
     where destination_id = :id
           and (cast(:account as uuid) is null
                or (integrated_account_id, resource, remote_id) > (cast(:account as uuid), :resource, :remote_id))
     order by integrated_account_id, resource, remote_id limit :limit
""")


@retry_conflicts
class DestinationStore(OwnedStore[Destination]):
    """The destinations of all environments."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, tables.destination, destination_of)

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any]) -> Destination:
        """Write a destination."""
        return super().create(environment_id, id, _columns(values))

    def update(
        self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any], *, seen: RowVersion | None = None
    ) -> Destination | None:
        """Change some fields."""
        return super().update(environment_id, id, _columns(values), seen=seen)

    def pause(self, environment_id: EnvironmentId, destination_id: str, *, is_paused: bool) -> Destination | None:
        """Have nothing more written, or go on, at once."""
        values = {"id": destination_id, "environment_id": environment_id}
        with self._engine.begin() as connection:
            row = connection.execute(_PAUSE, {**values, "is_paused": is_paused}).mappings().one_or_none()
            if row and not is_paused:
                connection.execute(_WAKE, {"id": destination_id})
        return destination_of(row) if row else None

    def begin_anew(
        self, environment_id: EnvironmentId, destination_id: str, *, cursor: int | None, is_rebuild: bool = False
    ) -> Destination | None:
        """Have everything behind a number written again, of all accounts; whatever is under way is refused.

        None: from the first record on that is quarantined, of those accounts alone that have some.
        """
        values = {"id": destination_id, "environment_id": environment_id}
        with self._engine.begin() as connection:
            row = connection.execute(_NEXT_EPOCH, values).mappings().one_or_none()
            if row:
                again = {"id": destination_id, "cursor": cursor, "epoch": row["epoch"], "is_rebuild": is_rebuild}
                connection.execute(_BACKFILL_QUARANTINED if cursor is None else _BACKFILL, again)
        return destination_of(row) if row else None

    def wake_datastore(self, datastore_id: str) -> None:
        """Try at once what has failed in a datastore."""
        with self._engine.begin() as connection:
            connection.execute(_WAKE_DATASTORE, {"id": datastore_id})

    def list_cursors(self, destination_id: str, *, cursor: str | None, limit: int) -> Page[DestinationCursor]:
        """Read a page of a destination's cursors."""
        values = {"id": destination_id, "after": _read_cursor(cursor), "limit": limit + 1}
        with reading(self._engine) as connection:
            rows = connection.execute(_CURSORS, values).mappings().all()
        shown = [
            build_object(
                DestinationCursor, row, status=CursorStatus(row["status"]), lag_seconds=float(row["lag_seconds"])
            )
            for row in rows[:limit]
        ]
        next_cursor = paging.encode_cursor(shown[-1].integrated_account_id) if len(rows) > limit else None
        return Page(result=shown, next_cursor=next_cursor, limit=limit)

    def list_quarantined(self, destination_id: str, *, cursor: str | None, limit: int) -> Page[QuarantinedRecord]:
        """Read a page of the records that a destination has left out."""
        account, resource, remote_id = (None, "", "") if cursor is None else paging.decode_cursor(cursor, 3)
        if account is not None and parse_id(account) is None:
            raise paging.bad_cursor()
        place = {"account": account, "resource": resource, "remote_id": remote_id}
        with reading(self._engine) as connection:
            rows = connection.execute(_QUARANTINED, {"id": destination_id, **place, "limit": limit + 1}).mappings()
            found = [build_object(QuarantinedRecord, row) for row in rows]
        last = found[limit - 1] if len(found) > limit else None
        following = paging.encode_cursor(last.integrated_account_id, last.resource, last.remote_id) if last else None
        return Page(result=found[:limit], next_cursor=following, limit=limit)

    def read_progress(self, destination_ids: Sequence[str]) -> Mapping[str, DestinationProgress]:
        """Return each destination as a whole; one without cursors is left out."""
        with reading(self._engine) as connection:
            rows = connection.execute(_PROGRESS, {"ids": list(destination_ids)}).mappings().all()
        return {str(row["destination_id"]): _progress(row) for row in rows}


def destination_of(row: Row) -> Destination:
    """Read a destination's row."""
    return build_object(
        Destination,
        row,
        resources=row["resources"] or "*",
        mode=WriteMode(row["mode"]),
        deletes=Deletes(row["deletes"]),
        layout=Layout(row["layout"]),
    )


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    given = dict(values)
    if given.get("resources") == "*":
        given["resources"] = None
    return given


def _progress(row: RowMapping) -> DestinationProgress:
    counts = (
        *("accounts", "failing", "rebuilding", "lag_records"),
        *("read", "written", "unchanged", "quarantined", "filtered"),
    )
    numbers = {name: int(str(row[name])) for name in counts}
    error = row["last_error"]
    return DestinationProgress(
        **numbers,
        lag_seconds=float(str(row["lag_seconds"])),
        last_error=None if error is None else str(error),
    )


def _read_cursor(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    (text_id,) = paging.decode_cursor(cursor, 1)
    if (id := parse_id(text_id)) is None:
        raise paging.bad_cursor()
    return id
