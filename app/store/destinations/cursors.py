"""The cursors of destinations: claimed, kept, moved and handed back; the row is the unit of work.

Leases run on the database's clock. Every write names the fence of its claim, so that whoever has lost the lease changes
nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Engine, text

from app.engine.errors import LeaseLostError, UnreadableSecretError
from app.engine.objects.accounts import Erasure
from app.engine.objects.destinations import Datastore
from app.engine.objects.environments import EnvironmentId
from app.engine.status import CursorStatus
from app.services.destinations.ports import Quarantined
from app.services.destinations.work import Claimed, CursorClaim, ErasedPlace, Moved
from app.services.runs.conflicts import retry_conflicts
from app.store.db.autocommit import autocommit_of
from app.store.db.database import Row, reading
from app.store.destinations import left_out
from app.store.destinations.datastores import datastore_of
from app.store.destinations.destinations import destination_of
from app.store.secrets.encryption import Cipher

_OF_CLAIM: Final = "destination_id = :destination_id and integrated_account_id = :account_id and fence = :fence"

_CLAIM: Final = text(f"""
    update destination_cursor c
       set status = '{CursorStatus.WRITING}', lease_owner = :owner, fence = fence + 1,
           lease_until = now() + make_interval(secs => :lease_seconds)
     where destination_id = :destination_id and integrated_account_id = :account_id
           and due_at <= now() and (lease_until is null or lease_until < now())
           and exists (select from destination d where d.id = c.destination_id and d.paused_at is null)
           and exists (select from integrated_account a where a.id = c.integrated_account_id)
           and not exists (select from erasure x
                            where x.integrated_account_id = c.integrated_account_id
                                  and x.started_at is not null and x.finished_at is null)
           and :most_of_destination > (
                select count(*) from destination_cursor o
                 where o.destination_id = c.destination_id and o.lease_until > now())
 returning fence, cursor, range_through, listed_through, epoch, attempts, is_rebuilding
""")
_LOAD: Final = text("""
    select d.*, e.name as environment_name, a.tenant_id, i.name as integration_name,
           s.id as s_id, s.type as s_type, s.label as s_label, s.config_encrypted as s_config_encrypted,
           s.created_at as s_created_at, s.updated_at as s_updated_at
      from destination d
      join datastore s on s.id = d.datastore_id
      join environment e on e.id = d.environment_id
      join integrated_account a on a.id = :account_id and a.environment_id = d.environment_id
      join integration i on i.id = a.integration_id
     where d.id = :destination_id
""")
_MAY_WRITE: Final = f"""
    {_OF_CLAIM} and lease_until > now()
           and exists (select from destination d where d.id = c.destination_id and d.paused_at is null)
"""
_FIX: Final = text(f"update destination_cursor c set range_through = :through where {_MAY_WRITE}")
_MAY: Final = text(f"select count(*) from destination_cursor c where {_MAY_WRITE}")
_MOVE: Final = text(f"""
    update destination_cursor
       set cursor = :through, range_through = null, written_at = now(), rung_at = now(),
           attempts = 0, failing_since = null, last_error = null, error_code = null,
           "read" = "read" + :read, written = written + :written, unchanged = unchanged + :unchanged,
           quarantined = quarantined + :quarantined, filtered = filtered + :filtered
     where {_OF_CLAIM}
 returning exists (select from destination_quarantine q
                    where q.destination_id = :destination_id and q.integrated_account_id = :account_id)
""")
_LISTED: Final = text(f"update destination_cursor set listed_through = :through where {_OF_CLAIM}")
_REBUILT: Final = text(f"update destination_cursor set is_rebuilding = false where {_OF_CLAIM}")
_KEEP: Final = text(f"""
    update destination_cursor set lease_until = now() + make_interval(secs => :lease_seconds)
     where {_OF_CLAIM} and lease_until is not null
""")
_HAND_BACK: Final = text(f"""
    update destination_cursor
       set status = '{CursorStatus.WAITING}', lease_owner = null, lease_until = null, due_at = now(), rung_at = null
     where {_OF_CLAIM}
""")
_FAIL: Final = text(f"""
    update destination_cursor
       set status = '{CursorStatus.FAILING}', lease_owner = null, lease_until = null, rung_at = null,
           attempts = attempts + 1,
           failing_since = coalesce(failing_since, now()), last_error = :error, error_code = :code,
           due_at = now() + make_interval(secs => :wake_seconds)
     where {_OF_CLAIM}
""")
_HOLD: Final = text(f"select fence from destination_cursor where {_OF_CLAIM} for update")
_MARK: Final = "'destination ' || c.destination_id"
# An account that is deleted has its tenant there.
_TO_ERASE: Final = text(f"""
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
_TAKE_ERASED: Final = text("""
    update destination_cursor
       set fence = fence + 1, lease_owner = :owner, lease_until = now() + make_interval(secs => :lease_seconds)
     where destination_id = :destination_id and integrated_account_id = :account_id
           and (lease_until is null or lease_until < now())
 returning fence
""")
_REMOVE: Final = text("""
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
_NOTE_ERASED: Final = text("""
    update erasure set erased = erased || jsonb_build_object('destination ' || cast(:destination_id as text), :count)
     where id = :id
""")


@retry_conflicts
class CursorStore:
    """The cursors of all destinations."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher
        self._autocommit = autocommit_of(engine)

    def claim(
        self, destination_id: str, account_id: str, *, owner: str, lease_seconds: float, most_of_destination: int
    ) -> CursorClaim | None:
        """Take the lease of an account's cursor that is due and free; None: somebody has it, or will, or it is paused.

        None too while ``most_of_destination`` cursors of the same destination are being written.
        """
        values = {
            **{"destination_id": destination_id, "account_id": account_id, "owner": owner},
            **{"lease_seconds": lease_seconds, "most_of_destination": most_of_destination},
        }
        row = self._autocommit.one(_CLAIM, values)
        if row is None:
            return None
        return CursorClaim(destination_id=destination_id, account_id=account_id, **row)

    def load(self, claim: CursorClaim) -> Claimed | None:
        """Read what is written where; None: the destination or account is gone.

        Raises UnreadableSecretError when the datastore's config does not decrypt.
        """
        with reading(self._engine) as connection:
            row = connection.execute(_LOAD, _place(claim)).mappings().one_or_none()
        return None if row is None else self._build_claimed(claim, row)

    def fix_range(self, claim: CursorClaim, through: int) -> bool:
        """Record up to where the next write goes; False: the lease is lost, or the destination was paused."""
        return self._autocommit.count(_FIX, {**_place(claim), "through": through}) == 1

    def may_write(self, claim: CursorClaim) -> bool:
        """Whether the lease is held, and the destination not paused."""
        with reading(self._engine) as connection:
            return bool(connection.execute(_MAY, _place(claim)).scalar_one())

    def list_waiting_runs(self, claim: CursorClaim) -> Mapping[str, int]:
        """Return the account's runs that complete once their records are here, and up to where these are counted."""
        with reading(self._engine) as connection:
            return left_out.list_waiting_runs(connection, claim)

    def note_refused(self, claim: CursorClaim, refused: Sequence[Quarantined]) -> None:
        """Record what the target can not hold, before the rest is written; raise LeaseLostError."""
        with self._engine.begin() as connection:
            if connection.execute(_HOLD, _place(claim)).scalar_one_or_none() is None:
                raise LeaseLostError
            left_out.quarantine(connection, claim, refused, are_refused=True)

    def list_refused(self, claim: CursorClaim, *, after: int, through: int) -> Sequence[Quarantined]:
        """List what was noted as refused since the account was last filled anew, in a range of its log."""
        with reading(self._engine) as connection:
            return left_out.list_refused(connection, claim, after=after, through=through)

    def move(self, claim: CursorClaim, moved: Moved) -> None:
        """Move the cursor to the end of a range that is written; raise LeaseLostError."""
        counts = {
            **{"read": moved.read, "written": moved.written, "unchanged": moved.unchanged},
            **{"quarantined": len(moved.quarantined), "filtered": moved.filtered},
        }
        with self._engine.begin() as connection:
            values = {**_place(claim), **counts, "through": moved.through}
            has_quarantined = connection.execute(_MOVE, values).scalar_one_or_none()
            if has_quarantined is None:
                raise LeaseLostError
            if has_quarantined:
                left_out.release(connection, claim, moved)
            left_out.count_of_runs(connection, claim, moved.runs)
            left_out.quarantine(connection, claim, moved.quarantined, are_refused=False)

    def note_listed(self, claim: CursorClaim, through: int) -> None:
        """Record that what vanished in a gap was found by a listing; raise LeaseLostError."""
        if self._autocommit.count(_LISTED, {**_place(claim), "through": through}) != 1:
            raise LeaseLostError

    def note_rebuilt(self, claim: CursorClaim) -> None:
        """Record that the target holds nothing surplus any more; raise LeaseLostError."""
        if self._autocommit.count(_REBUILT, _place(claim)) != 1:
            raise LeaseLostError

    def keep(self, claim: CursorClaim, *, lease_seconds: float) -> bool:
        """Prolong the lease; False when it is gone."""
        return self._autocommit.count(_KEEP, {**_place(claim), "lease_seconds": lease_seconds}) == 1

    def hand_back(self, claim: CursorClaim) -> None:
        """Give the lease up, if it is still held."""
        self._autocommit.count(_HAND_BACK, _place(claim))

    def fail(self, claim: CursorClaim, *, error: str, code: str, wake_seconds: float) -> None:
        """Give the lease up with what went wrong; it is due again later."""
        values = {**_place(claim), "error": error, "code": code, "wake_seconds": wake_seconds}
        self._autocommit.count(_FAIL, values)

    def list_erased(self, erasure: Erasure, *, limit: int) -> Sequence[ErasedPlace]:
        """List destinations that have read the account and are not done; raise UnreadableSecretError."""
        values = {"id": erasure.id, "account_id": erasure.integrated_account_id, "limit": limit}
        with reading(self._engine) as connection:
            rows = connection.execute(_TO_ERASE, values).mappings().all()
            stores = [connection.execute(_DATASTORE, {"id": row["datastore_id"]}).mappings().one() for row in rows]
        return [
            ErasedPlace(
                destination=destination_of(row),
                datastore=datastore_of(store, self._cipher),
                tenant_id=row["account_tenant_id"],
            )
            for row, store in zip(rows, stores, strict=True)
        ]

    def take_erased(self, place: ErasedPlace, erasure: Erasure, *, lease_seconds: float) -> int | None:
        """Take the lease of the account's cursor; None: somebody writes."""
        values = {**_erased_place(place, erasure), "owner": "erasing", "lease_seconds": lease_seconds}
        with self._engine.begin() as connection:
            found = connection.execute(_TAKE_ERASED, values).scalar_one_or_none()
        return None if found is None else int(found)

    def note_erased(self, place: ErasedPlace, erasure: Erasure, *, fence: int, count: int) -> None:
        """Record that a destination holds nothing of it any more: its cursor is gone, or begins anew."""
        values = _erased_place(place, erasure)
        with self._engine.begin() as connection:
            left_out.remove(connection, values, erasure.resource)
            if erasure.resource is None:
                connection.execute(_REMOVE, values)
            else:
                connection.execute(_BEGIN_ANEW, {**values, "fence": fence})
            connection.execute(_NOTE_ERASED, {**values, "id": erasure.id, "count": count})

    def _build_claimed(self, claim: CursorClaim, row: Row) -> Claimed:
        return Claimed(
            claim=claim,
            destination=destination_of(row),
            datastore=_datastore(row, self._cipher),
            environment_id=EnvironmentId(str(row["environment_id"])),
            environment_name=row["environment_name"],
            tenant_id=row["tenant_id"],
            integration_name=row["integration_name"],
        )


def _datastore(row: Row, cipher: Cipher) -> Datastore:
    own = {name.removeprefix("s_"): value for name, value in row.items() if name.startswith("s_")}
    try:
        return datastore_of({**own, "environment_id": row["environment_id"]}, cipher)
    except UnreadableSecretError as error:
        raise UnreadableSecretError(
            f"the config of datastore '{own['id']}' does not decrypt: {error.message}"
        ) from error


def _place(claim: CursorClaim) -> dict[str, Any]:
    return {"destination_id": claim.destination_id, "account_id": claim.account_id, "fence": claim.fence}


def _erased_place(place: ErasedPlace, erasure: Erasure) -> dict[str, object]:
    return {"destination_id": place.destination.id, "account_id": erasure.integrated_account_id}
