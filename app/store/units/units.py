"""Units of work in Postgres: made, claimed, kept, handed back.

Leases run on the database's clock, so that a daemon's wrong clock can not steal or keep one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import DictRow
from sqlalchemy import Connection, Engine, text

from app.engine.errors import LeaseLostError
from app.engine.ids import new_id
from app.engine.runs.work import Claim, ClaimTerms, CrowdedOut, UnitKind, WakeUp
from app.engine.status import BEGUN_RUN_STATUSES, UnitStatus
from app.services.maintenance.ports import LostBefore
from app.services.runs.conflicts import retry_conflicts
from app.store.announcements.webhook_turns import (
    HEADROOM,
    IS_WITHIN,
    LOCK_WEBHOOK,
    NEXT_OF_WEBHOOK,
    WAIT,
    WEBHOOK_OF_UNIT,
    under_way,
)
from app.store.db.autocommit import autocommit_of, sql_of, transaction
from app.store.db.database import Row, reading
from app.store.tables.statuses import IS_HELD, any_of, is_due, is_free
from app.store.units import dispatching

_NEXT_OF_RESOURCE = f"""
    select id from unit
     where resource_id = :resource_id and {is_due()}
     order by created_at limit 1
"""

_CLAIM = f"""
    update unit
       set status = '{UnitStatus.LEASED}', lease_owner = :owner, fencing_token = fencing_token + 1,
           lease_expires_at = now() + make_interval(secs => :lease_seconds),
           attempts = attempts + 1, slices = slices + 1, wake_at = null, updated_at = now(),
           webhook_id = case when kind = 'delivery' then {{webhook_id}} end
     where id = {{which}}
       and {is_free()}
       and exists (select from sync_job_run r where r.id = unit.run_id
                    and (r.status in {any_of(BEGUN_RUN_STATUSES)} or unit.kind = 'delivery'))
       and case when kind = 'delivery' then :most_of_webhook > :headroom + {{under_way}}
                else :most_of_account > (
                     select count(*) from unit held join sync_job_run h on h.id = held.run_id
                      where held.status = '{UnitStatus.LEASED}' and held.lease_owner = :owner and held.kind = 'fetch'
                        and held.lease_expires_at > now() and h.integrated_account_id =
                            (select integrated_account_id from sync_job_run where id = unit.run_id)) end
 returning id, run_id, resource_id, kind, fencing_token, attempts, idle_slices, elements, frontier, webhook_id
"""

_OF_WEBHOOK = {"webhook_id": WEBHOOK_OF_UNIT, "under_way": under_way(WEBHOOK_OF_UNIT)}
_CLAIM_UNIT = text(_CLAIM.format(which=":unit_id", **_OF_WEBHOOK))
_CLAIM_NEXT_OF_RESOURCE = text(_CLAIM.format(which=f"({_NEXT_OF_RESOURCE})", **_OF_WEBHOOK))
_FIND_NEXT_OF_RESOURCE = text(_NEXT_OF_RESOURCE)

_CROWDED_OUT = text(f"""
    select u.run_id, u.id, r.queue, u.kind, r.integrated_account_id from unit u join sync_job_run r on r.id = u.run_id
     where u.id = :unit_id and {is_free("u")} and (u.kind = 'delivery' or r.status in {any_of(BEGUN_RUN_STATUSES)})
""")

# Marked as dispatched, so that two callers at once get different units.
_NEXT_OF_ACCOUNT = text(f"""
    with next as (
        select u.id, u.run_id, r.queue from unit u join sync_job_run r on r.id = u.run_id
         where r.status in {any_of(BEGUN_RUN_STATUSES)} and r.integrated_account_id = :account_id
               and u.kind = 'fetch' and {is_free("u")}
         order by u.rung_at limit 1 for update of u skip locked)
    update unit set rung_at = now() from next where unit.id = next.id
 returning next.run_id, next.id, next.queue
""")

_HOLD = text(f"""
    update unit
       set lease_expires_at = now() + make_interval(secs => :lease_seconds), updated_at = now()
     where {IS_HELD}
""")

# The row is locked by this claim's own page, or by the end of the run: neither is waited for.
_KEEP = text(f"""
    with held as (
        select id from unit
         where {IS_HELD} for no key update skip locked),
         kept as (
        update unit
           set lease_expires_at = clock_timestamp() + make_interval(secs => :lease_seconds), updated_at = now()
          from held where unit.id = held.id)
    select count(*) as own from unit
     where {IS_HELD}
""")

_HAND_BACK = text(f"""
    update unit
       set status = '{UnitStatus.READY}', lease_owner = null, lease_expires_at = null, webhook_id = null,
           updated_at = now(),
           attempts = case when :has_failed then attempts else 0 end,
           idle_slices = idle_slices + case when :is_idle then 1 else 0 end,
           wake_at = now() + make_interval(secs => :wake_seconds), rung_at = now()
     where {IS_HELD}
""")

# A unit that sleeps for another reason finds that it still holds, and sleeps again.
_WAKE_ACCOUNT = text(f"""
    update unit set wake_at = now(), updated_at = now() from sync_job_run r
     where r.id = unit.run_id and r.integrated_account_id = :account_id and r.status in {any_of(BEGUN_RUN_STATUSES)}
           and unit.kind = 'fetch' and unit.status = '{UnitStatus.READY}' and unit.wake_at > now()
""")

# Woken at the next look, since its events wait already.
_ADD_DELIVERY_UNIT = text(f"""
    insert into unit (id, run_id, kind, status, rung_at)
    select :id, :run_id, 'delivery', '{UnitStatus.READY}', now() - interval '1 hour'
     where not exists (select from unit where run_id = :run_id and kind = 'delivery')
""")


@retry_conflicts
class UnitStore:
    """The units of all runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._autocommit = autocommit_of(engine)

    def claim(self, unit_id: str, terms: ClaimTerms) -> Claim | None:
        """Take the unit's lease when it is free and its run is live, else None: another worker has it, or will.

        None too when the owner works on ``most_of_account`` units of the same account, as far as they are committed,
        and when the webhook that a delivery unit sends to has about as many deliveries under way as it may.
        """
        row = self._autocommit.one(_CLAIM_UNIT, {**_term_values(terms), "unit_id": unit_id})
        if row is None:
            return None
        claim = _build_claim(row)
        if claim.webhook_id and not self._is_within(claim.webhook_id, terms):
            self.hand_back(claim)
            return None
        return claim

    def _is_within(self, webhook_id: str, terms: ClaimTerms) -> bool:
        row = self._autocommit.one(IS_WITHIN, {"webhook_id": webhook_id, "most_of_webhook": terms.most_of_webhook})
        return row is not None and bool(row["is_within"])

    def claim_in_turn(self, unit_id: str, terms: ClaimTerms) -> Claim | None:
        """Take a delivery unit's lease if its webhook has fewer than it may; else record that it waits for its turn.

        A unit whose row is locked is left to the next wake-up.
        """
        values = {**_term_values(terms, headroom=0), "unit_id": unit_id}

        def take(connection: psycopg.Connection[DictRow]) -> Row | None:
            with transaction(connection):
                if connection.execute(sql_of(LOCK_WEBHOOK), values).fetchone() is None:
                    return None
                row = connection.execute(sql_of(_CLAIM_UNIT), values).fetchone()
                if row is None:
                    connection.execute(sql_of(WAIT), values)
                return row

        row = self._autocommit.lend(take)
        return _build_claim(row, is_crowded=True) if row else None

    def claim_next(self, resource_id: str, terms: ClaimTerms) -> Claim | None:
        """Take the lease of a resource's oldest unit that is free, on the terms of ``claim``.

        None too when another worker has taken that unit meanwhile, though there may be others.
        """
        row = self._autocommit.one(_CLAIM_NEXT_OF_RESOURCE, {**_term_values(terms), "resource_id": resource_id})
        return _build_claim(row) if row else None

    def find_crowded_out(self, unit_id: str) -> CrowdedOut | None:
        """Return what is known of a unit that could be claimed if there were room for it; None for any other."""
        row = self._autocommit.one(_CROWDED_OUT, {"unit_id": unit_id})
        if row is None:
            return None
        dispatch = _dispatch(row["run_id"], row["id"], row["queue"])
        return CrowdedOut(kind=UnitKind(row["kind"]), account_id=str(row["integrated_account_id"]), dispatch=dispatch)

    def take_next_of_webhook(self, webhook_id: str, *, most_of_webhook: int) -> list[WakeUp]:
        """Mark and list the units that have waited longest for a webhook, as many as may be under way now."""
        rows = self._autocommit.all(NEXT_OF_WEBHOOK, {"webhook_id": webhook_id, "most_of_webhook": most_of_webhook})
        return [_dispatch(row["run_id"], row["id"], row["queue"]) for row in rows]

    def take_next_of_account(self, account_id: str) -> WakeUp | None:
        """Mark and return the unit of an account that has waited longest for a worker."""
        row = self._autocommit.one(_NEXT_OF_ACCOUNT, {"account_id": account_id})
        return _dispatch(row["run_id"], row["id"], row["queue"]) if row else None

    def find_next_of_resource(self, resource_id: str) -> str | None:
        """Find the oldest unit of a resource that can be claimed now."""
        row = self._autocommit.one(_FIND_NEXT_OF_RESOURCE, {"resource_id": resource_id})
        return str(row["id"]) if row else None

    def hold(self, claim: Claim, *, lease_seconds: float) -> None:
        """Prolong the lease; raise LeaseLostError when it is gone."""
        if self._autocommit.count(_HOLD, _lease_values(claim, lease_seconds)) != 1:
            raise LeaseLostError

    def keep(self, claim: Claim, *, lease_seconds: float) -> bool:
        """Prolong the lease unless its row is locked; False when it is gone."""
        row = self._autocommit.one(_KEEP, _lease_values(claim, lease_seconds))
        return row is not None and bool(row["own"])

    def hand_back(
        self, claim: Claim, *, wake_seconds: float = 0.0, has_failed: bool = False, is_idle: bool = False
    ) -> bool:
        """Release the lease; the unit can be claimed again after ``wake_seconds``. False when it was lost already.

        A failed attempt stays counted, one that chose to yield does not; idle slices are counted until one is not.
        """
        parameters = {
            "unit_id": claim.unit_id,
            "fencing_token": claim.fencing_token,
            "has_failed": has_failed,
            "is_idle": is_idle,
            "wake_seconds": wake_seconds,
        }
        return self._autocommit.count(_HAND_BACK, parameters) == 1

    def find_due_queues(self, *, ring_after_seconds: float) -> Sequence[str]:
        """List the queues of units' wake-ups that no daemon has claimed."""
        with reading(self._engine) as connection:
            return list(connection.execute(dispatching.DUE_QUEUES, {"ring_after": ring_after_seconds}).scalars())

    def dispatch_due(
        self, lost: Mapping[str, LostBefore], *, ring_after_seconds: float, limit: int = 500
    ) -> list[WakeUp]:
        """Mark and list the units whose timer is due, whose wake-up is lost, or whose lease has expired."""
        values = dispatching.values_of(lost, ring_after_seconds=ring_after_seconds)
        with self._engine.begin() as connection:
            rows = connection.execute(dispatching.DUE_UNITS, {**values, "limit": limit}).all()
        return [_dispatch(*row) for row in rows]

    def redispatch(self, unit_ids: Sequence[str]) -> None:
        """Mark units as not dispatched: the broker did not take the message."""
        with self._engine.begin() as connection:
            connection.execute(dispatching.REDISPATCH, {"ids": list(unit_ids)})


def hold_lease(connection: Connection, claim: Claim, *, lease_seconds: float) -> None:
    """Prolong the lease and lock the unit's row for the transaction; raise LeaseLostError when it is gone."""
    if connection.execute(_HOLD, _lease_values(claim, lease_seconds)).rowcount != 1:
        raise LeaseLostError


def add_delivery_unit(connection: Connection, run_id: str) -> str | None:
    """Add a delivery unit to a run, within a transaction beside which no other one can add it.

    Return the new unit's id, or None when the run has one.
    """
    id = new_id()
    return id if connection.execute(_ADD_DELIVERY_UNIT, {"id": id, "run_id": run_id}).rowcount else None


def wake_account(connection: Connection, account_id: str) -> None:
    """Make an account's sleeping units due at once, within the caller's transaction."""
    connection.execute(_WAKE_ACCOUNT, {"account_id": account_id})


def _lease_values(claim: Claim, lease_seconds: float) -> dict[str, object]:
    return {"unit_id": claim.unit_id, "fencing_token": claim.fencing_token, "lease_seconds": lease_seconds}


def _dispatch(run_id: object, unit_id: object, queue: str) -> WakeUp:
    return WakeUp(run_id=str(run_id), unit_id=str(unit_id), queue=queue)


def _term_values(terms: ClaimTerms, *, headroom: int = HEADROOM) -> dict[str, object]:
    return {
        "owner": terms.owner,
        "lease_seconds": terms.lease_seconds,
        "most_of_account": terms.most_of_account,
        "most_of_webhook": terms.most_of_webhook,
        "headroom": headroom,
    }


def _build_claim(row: Any, *, is_crowded: bool = False) -> Claim:
    webhook_id = str(row["webhook_id"]) if row["webhook_id"] else None
    # A worker that died with the claim before has woken nobody.
    is_crowded = is_crowded or (webhook_id is not None and row["attempts"] > 1)
    return Claim(
        unit_id=str(row["id"]),
        run_id=str(row["run_id"]),
        resource_id=str(row["resource_id"]) if row["resource_id"] else None,
        kind=UnitKind(row["kind"]),
        fencing_token=row["fencing_token"],
        attempts=row["attempts"],
        idle_slices=row["idle_slices"],
        elements=row["elements"],
        frontier=row["frontier"],
        webhook_id=webhook_id,
        is_crowded=is_crowded,
    )
