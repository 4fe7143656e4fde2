"""What destinations hold of an account that is erased: which of them, whose turn it is, and that it is done."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Engine, text

from app.engine.objects.accounts import Erasure
from app.engine.status import CursorStatus
from app.services.destinations.work import ErasedPlace
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import Row, reading
from app.store.destinations.datastores import datastore_of
from app.store.destinations.destinations import destination_of
from app.store.secrets.encryption import Cipher

_MARK: Final = "'destination ' || c.destination_id"
# An account that is deleted has its tenant there.
_LEFT: Final = text(f"""
    select d.*, c.fence, coalesce(a.tenant_id, x.tenant_id, '') as account_tenant_id
      from destination_cursor c
      join destination d on d.id = c.destination_id
      left join integrated_account a on a.id = c.integrated_account_id
      left join deleted_account x on x.id = c.integrated_account_id
     where c.integrated_account_id = :account_id
           and not exists (select from erasure e where e.id = :id and e.erased ? ({_MARK}))
     order by c.destination_id limit :limit
""")
_DATASTORE: Final = text("select * from datastore where id = :id")
# Whoever writes finds a higher fence, and a lease that is not his.
_TAKE: Final = text("""
    update destination_cursor
       set fence = fence + 1, lease_owner = :owner, lease_until = now() + make_interval(secs => :lease_seconds)
     where destination_id = :destination_id and integrated_account_id = :account_id
           and (lease_until is null or lease_until < now())
 returning fence
""")
_FORGET_QUARANTINED: Final = text("""
    delete from destination_quarantine
     where destination_id = :destination_id and integrated_account_id = :account_id
           and (cast(:resource as text) is null or resource = :resource)
""")
_FORGET: Final = text("""
    delete from destination_cursor where destination_id = :destination_id and integrated_account_id = :account_id
""")
# What was written since it was asked for stays in Postgres, and is written again with all else.
_BEGIN_ANEW: Final = text(f"""
    update destination_cursor
       set cursor = 0, range_through = null, lease_owner = null, lease_until = null, status = '{CursorStatus.WAITING}',
           due_at = now(), rung_at = null,
           "read" = 0, written = 0, unchanged = 0, quarantined = 0, filtered = 0
     where destination_id = :destination_id and integrated_account_id = :account_id and fence = :fence
""")
_NOTE: Final = text("""
    update erasure set erased = erased || jsonb_build_object('destination ' || cast(:destination_id as text), :count)
     where id = :id
""")


@retry_conflicts
class ErasedPlaces:
    """The destinations of accounts that are erased."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher

    def list_left(self, erasure: Erasure, *, limit: int) -> Sequence[ErasedPlace]:
        """List destinations that have read the account and are not done; raise UnreadableSecretError."""
        values = {"id": erasure.id, "account_id": erasure.integrated_account_id, "limit": limit}
        with reading(self._engine) as connection:
            rows = connection.execute(_LEFT, values).mappings().all()
            stores = [connection.execute(_DATASTORE, {"id": row["datastore_id"]}).mappings().one() for row in rows]
        return [self._place(row, store) for row, store in zip(rows, stores, strict=True)]

    def take(self, place: ErasedPlace, erasure: Erasure, *, lease_seconds: float) -> int | None:
        """Take the lease of the account's cursor; None: somebody writes."""
        values = {**_values(place, erasure), "owner": "erasing", "lease_seconds": lease_seconds}
        with self._engine.begin() as connection:
            found = connection.execute(_TAKE, values).scalar_one_or_none()
        return None if found is None else int(found)

    def note_erased(self, place: ErasedPlace, erasure: Erasure, *, fence: int, count: int) -> None:
        """Record that a destination holds nothing of it any more: its cursor is gone, or begins anew."""
        values = _values(place, erasure)
        with self._engine.begin() as connection:
            connection.execute(_FORGET_QUARANTINED, {**values, "resource": erasure.resource})
            if erasure.resource is None:
                connection.execute(_FORGET, values)
            else:
                connection.execute(_BEGIN_ANEW, {**values, "fence": fence})
            connection.execute(_NOTE, {**values, "id": erasure.id, "count": count})

    def _place(self, row: Row, store: Row) -> ErasedPlace:
        return ErasedPlace(
            destination=destination_of(row),
            datastore=datastore_of(store, self._cipher),
            tenant_id=row["account_tenant_id"],
        )


def _values(place: ErasedPlace, erasure: Erasure) -> dict[str, object]:
    return {"destination_id": place.destination.id, "account_id": erasure.integrated_account_id}
