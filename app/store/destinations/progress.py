"""How far destinations are: each account's cursor beside its log, and a destination as a whole."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Engine, RowMapping, text

from app.engine.ids import parse_id
from app.engine.objects.destinations import DestinationCursor, DestinationProgress, QuarantinedRecord
from app.engine.objects.lists import Page
from app.engine.status import CursorStatus
from app.services.runs.conflicts import retry_conflicts
from app.store.db import paging
from app.store.db.database import reading
from app.store.db.owned_rows import build_object

# The oldest entry that is not written; numbers of events are none.
WAITS: Final = """
    coalesce(extract(epoch from now() - (
        select r.updated_at from record r
         where r.integrated_account_id = c.integrated_account_id and r.sequence >= 0 and r.sequence > c.cursor
         order by r.sequence limit 1)), 0)
"""
_CURSORS: Final = text(f"""
    select c.*, coalesce(l.last_sequence, 0) as last_sequence, {WAITS} as lag_seconds
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
           coalesce(max(case when l.last_sequence > c.cursor then {WAITS} else 0 end), 0) as lag_seconds,
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
class CursorReader:
    """Reads the cursors of destinations."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self, destination_id: str, *, cursor: str | None, limit: int) -> Page[DestinationCursor]:
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

    def progress(self, destination_ids: Sequence[str]) -> Mapping[str, DestinationProgress]:
        """Return each destination as a whole; one without cursors is left out."""
        with reading(self._engine) as connection:
            rows = connection.execute(_PROGRESS, {"ids": list(destination_ids)}).mappings().all()
        return {str(row["destination_id"]): _progress(row) for row in rows}


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
