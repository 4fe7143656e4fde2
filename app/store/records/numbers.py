"""Number records from before accounts had logs: in batches, beside the work, so that readers of a log see them too."""

from typing import Final

from sqlalchemy import Engine, text

from app.services.maintenance.ports import NumberingPlace
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import reading
from app.store.records import account_log

_NAME: Final = "record_numbers"
# Conditions as the index of the log has them: an account without such records costs a look into it.
_UNNUMBERED: Final = "integrated_account_id = :account_id and sequence = 0 and sequence >= 0"

_PLACE: Final = text("select place, rows from online_migration where name = :name and finished_at is null")
_NEXT: Final = text("""
    select integrated_account_id from record
     where cast(:after as uuid) is null or integrated_account_id > cast(:after as uuid)
     order by integrated_account_id limit 1
""")
# In no order, which would have all of them sorted for each batch: none of them has changed before another.
_BATCH: Final = text(f"select resource, remote_id from record where {_UNNUMBERED} limit :limit")
_NUMBER: Final = text("""
    update record set sequence = :first + numbered.position - 1
      from unnest(cast(:resources as text[]), cast(:ids as text[])) with ordinality
           numbered (resource, remote_id, position)
     where integrated_account_id = :account_id and record.resource = numbered.resource
           and record.remote_id = numbered.remote_id and sequence = 0
""")
_MOVE_ON: Final = text("update online_migration set place = :place, rows = rows + :rows where name = :name")
_FINISH: Final = text("update online_migration set place = null, finished_at = now() where name = :name")


@retry_conflicts
class RecordNumbers:
    """The records of all accounts that have no number yet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def place(self) -> NumberingPlace | None:
        """Return how far it is; None when all records have numbers."""
        with reading(self._engine) as connection:
            row = connection.execute(_PLACE, {"name": _NAME}).one_or_none()
        return None if row is None else NumberingPlace(account_id=None if row.place is None else str(row.place))

    def find_next_account(self, after: str | None) -> str | None:
        """Find the next account that has records."""
        with reading(self._engine) as connection:
            found = connection.execute(_NEXT, {"after": after}).scalar_one_or_none()
        return None if found is None else str(found)

    def number_some(self, account_id: str, *, limit: int) -> int:
        """Number so many records of an account, as changes in its log; return how many."""
        with self._engine.begin() as connection:
            # Nobody else writes records of the account until these are numbered.
            account_log.allocate(connection, account_id, 0)
            found = sorted(connection.execute(_BATCH, {"account_id": account_id, "limit": limit}).all())
            if found:
                values = {"resources": [row.resource for row in found], "ids": [row.remote_id for row in found]}
                first = account_log.allocate(connection, account_id, len(found))
                connection.execute(_NUMBER, {"account_id": account_id, "first": first, **values})
            connection.execute(_MOVE_ON, {"name": _NAME, "place": account_id, "rows": len(found)})
        return len(found)

    def begin_anew(self) -> None:
        """Begin again with the first account."""
        with self._engine.begin() as connection:
            connection.execute(_MOVE_ON, {"name": _NAME, "place": None, "rows": 0})

    def finish(self) -> None:
        """Record that all records have numbers."""
        with self._engine.begin() as connection:
            connection.execute(_FINISH, {"name": _NAME})
