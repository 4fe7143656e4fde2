"""The records that there are, beside what a destination has read: what a comparison with its target needs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Engine, text

from app.services.destinations.stores import ExpectedRecords, Settled, WrittenAccount
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import reading

_ACCOUNTS: Final = text("""
    select c.destination_id, c.integrated_account_id, a.tenant_id, c.cursor
      from destination_cursor c join integrated_account a on a.id = c.integrated_account_id
     where c.destination_id = :id order by c.integrated_account_id
""")
_CURSOR: Final = text("""
    select cursor from destination_cursor where destination_id = :id and integrated_account_id = :account_id
""")
# The primary key begins with account and resource: its few values are stepped through.
_RESOURCES: Final = text("""
    with recursive known as (
        (select resource from record where integrated_account_id = :account_id order by resource limit 1)
        union all
        select (select r.resource from record r
                 where r.integrated_account_id = :account_id and r.resource > known.resource
                 order by r.resource limit 1)
          from known where known.resource is not null)
    select resource from known where resource is not null
""")
_QUARANTINED: Final = """
    exists (select from destination_quarantine q
             where q.destination_id = :destination_id and q.integrated_account_id = r.integrated_account_id
                   and q.resource = r.resource and q.remote_id = r.remote_id and q.sequence = r.sequence)
"""
_COUNT: Final = text(f"""
    select count(*) filter (where not is_quarantined) as records, count(*) filter (where is_quarantined) as quarantined
      from (select {_QUARANTINED} as is_quarantined from record r
             where r.integrated_account_id = :account_id and r.resource = :resource and r.sequence <= :cursor
                   and (:with_deleted or r.deleted_at is null)) found
""")
_LOOK_UP: Final = text(f"""
    select r.remote_id, r.sequence, r.deleted_at is not null as is_deleted, r.sequence > :cursor as is_behind,
           {_QUARANTINED} as is_quarantined
      from record r
     where r.integrated_account_id = :account_id and r.resource = :resource and r.remote_id = any(:ids)
""")


@retry_conflicts
class HeldRecords:
    """The records of all accounts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list_accounts(self, destination_id: str) -> Sequence[WrittenAccount]:
        """List the accounts that have a cursor, and are not deleted."""
        with reading(self._engine) as connection:
            rows = connection.execute(_ACCOUNTS, {"id": destination_id}).all()
        return [
            WrittenAccount(destination_id=str(row[0]), account_id=str(row[1]), tenant_id=row[2], cursor=row[3])
            for row in rows
        ]

    def read_again(self, account: WrittenAccount) -> WrittenAccount:
        """Return an account with its cursor as it is now."""
        values = {"id": account.destination_id, "account_id": account.account_id}
        with reading(self._engine) as connection:
            cursor = connection.execute(_CURSOR, values).scalar_one_or_none()
        return replace(account, cursor=account.cursor if cursor is None else cursor)

    def list_resources(self, account: WrittenAccount) -> Sequence[str]:
        """List the resources of which there are records."""
        with reading(self._engine) as connection:
            return list(connection.execute(_RESOURCES, {"account_id": account.account_id}).scalars())

    def count(self, account: WrittenAccount, resource: str, *, with_deleted: bool) -> ExpectedRecords:
        """Count the records up to the cursor."""
        values = {**_place(account, resource), "with_deleted": with_deleted}
        with reading(self._engine) as connection:
            row = connection.execute(_COUNT, values).one()
        return ExpectedRecords(records=row.records, quarantined=row.quarantined)

    def look_up(self, account: WrittenAccount, resource: str, ids: Sequence[str]) -> Mapping[str, Settled]:
        """Return those of some records that there are."""
        with reading(self._engine) as connection:
            rows = connection.execute(_LOOK_UP, {**_place(account, resource), "ids": list(ids)}).all()
        return {
            row.remote_id: Settled(
                sequence=row.sequence,
                is_deleted=row.is_deleted,
                is_behind=row.is_behind,
                is_quarantined=row.is_quarantined,
            )
            for row in rows
        }


def _place(account: WrittenAccount, resource: str) -> dict[str, object]:
    return {
        "destination_id": account.destination_id,
        "account_id": account.account_id,
        "resource": resource,
        "cursor": account.cursor,
    }
