"""Destinations in Postgres: what they are, and how they are paused, woken and filled anew."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Engine, text

from app.engine.objects.destinations import Deletes, Destination, Layout, WriteMode
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.status import CursorStatus
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import owned_rows
from app.store.db.database import Row
from app.store.db.owned_rows import build_object

_TABLE = tables.destination

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
_BEGIN_ANEW: Final = text(f"""
    update destination_cursor
       set cursor = least(cursor, :cursor), epoch = :epoch, is_rebuilding = is_rebuilding or :is_rebuild,
           range_through = null, listed_through = 0,
           fence = fence + 1, status = '{CursorStatus.WAITING}', lease_owner = null, lease_until = null,
           due_at = now(), rung_at = null,
           attempts = 0, failing_since = null, last_error = null, error_code = null,
           "read" = 0, written = 0, unchanged = 0, quarantined = 0, filtered = 0
     where destination_id = :id
""")


@retry_conflicts
class DestinationStore:
    """The destinations of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any]) -> Destination:
        """Write a destination."""
        owned = {**_columns(values), "id": id, "environment_id": environment_id}
        return destination_of(owned_rows.insert_row(self._engine, _TABLE, owned))

    def get(self, environment_id: EnvironmentId, destination_id: str) -> Destination | None:
        """Read one destination."""
        row = owned_rows.find_row(self._engine, _TABLE, environment_id, destination_id)
        return destination_of(row) if row else None

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[Destination]:
        """Read a page of destinations."""
        return owned_rows.list_rows(self._engine, _TABLE, environment_id, destination_of, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        destination_id: str,
        values: Mapping[str, Any],
        *,
        seen: RowVersion | None = None,
    ) -> Destination | None:
        """Change some fields."""
        changes = _columns(values)
        row = owned_rows.update_row(self._engine, _TABLE, environment_id, destination_id, changes, seen=seen)
        return destination_of(row) if row else None

    def delete(self, environment_id: EnvironmentId, destination_id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove a destination and its cursors; what it has written stays where it is."""
        return owned_rows.delete_row(self._engine, _TABLE, environment_id, destination_id, seen=seen)

    def pause(self, environment_id: EnvironmentId, destination_id: str, *, is_paused: bool) -> Destination | None:
        """Have nothing more written, or go on, at once."""
        values = {"id": destination_id, "environment_id": environment_id}
        with self._engine.begin() as connection:
            row = connection.execute(_PAUSE, {**values, "is_paused": is_paused}).mappings().one_or_none()
            if row and not is_paused:
                connection.execute(_WAKE, {"id": destination_id})
        return destination_of(row) if row else None

    def begin_anew(
        self, environment_id: EnvironmentId, destination_id: str, *, cursor: int, is_rebuild: bool = False
    ) -> Destination | None:
        """Have everything behind a number written again, of all accounts; whatever is under way is refused."""
        values = {"id": destination_id, "environment_id": environment_id}
        with self._engine.begin() as connection:
            row = connection.execute(_NEXT_EPOCH, values).mappings().one_or_none()
            if row:
                again = {"id": destination_id, "cursor": cursor, "epoch": row["epoch"], "is_rebuild": is_rebuild}
                connection.execute(_BEGIN_ANEW, again)
        return destination_of(row) if row else None

    def wake_datastore(self, datastore_id: str) -> None:
        """Try at once what has failed in a datastore."""
        with self._engine.begin() as connection:
            connection.execute(_WAKE_DATASTORE, {"id": datastore_id})


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
