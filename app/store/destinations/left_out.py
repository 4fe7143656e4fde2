"""Records that destinations have left out, and what became of those of runs that wait: written as cursors move."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import Connection, text

from app.services.destinations.ports import Quarantined
from app.services.destinations.work import CursorClaim, Moved, RunBooks
from app.store.tables.runs import WAITS_FOR_DESTINATIONS

# A run that has failed may be resumed: its records land meanwhile.
_WAITING: Final = text(f"""
    select r.id, coalesce(x.through, 0)
      from sync_job_run r
      left join run_destination x on x.run_id = r.id and x.destination_id = :destination_id
     where r.integrated_account_id = :account_id and {WAITS_FOR_DESTINATIONS}
""")
_COUNT_OF_RUN: Final = text("""
    insert into run_destination as held (run_id, destination_id, through, written, unchanged, quarantined, filtered)
    select id, :destination_id, :through, :written, :unchanged, :quarantined, :filtered
      from sync_job_run where id = :run_id
        on conflict (run_id, destination_id) do update
       set through = excluded.through, written = held.written + excluded.written,
           unchanged = held.unchanged + excluded.unchanged, quarantined = held.quarantined + excluded.quarantined,
           filtered = held.filtered + excluded.filtered
""")
_REFUSED: Final = text("""
    select resource, remote_id, sequence, reason from destination_quarantine
     where destination_id = :destination_id and integrated_account_id = :account_id
           and refused_epoch = :epoch and sequence > :after and sequence <= :through
     order by sequence
""")
_RELEASE: Final = text("""
    delete from destination_quarantine
     where destination_id = :destination_id and integrated_account_id = :account_id
           and resource = :resource and remote_id = any(:remote_ids)
""")
_QUARANTINE: Final = text("""
    insert into destination_quarantine
           (destination_id, integrated_account_id, resource, remote_id, sequence, reason, refused_epoch)
    select :destination_id, :account_id, q.resource, q.remote_id, q.sequence, q.reason, cast(:refused_epoch as integer)
      from unnest(cast(:resources as text[]), cast(:remote_ids as text[]), cast(:sequences as bigint[]),
                  cast(:reasons as text[])) as q (resource, remote_id, sequence, reason)
        on conflict (destination_id, integrated_account_id, resource, remote_id) do update
       set sequence = excluded.sequence, reason = excluded.reason, created_at = now(),
           refused_epoch = coalesce(excluded.refused_epoch, case
               when destination_quarantine.sequence = excluded.sequence then destination_quarantine.refused_epoch end)
""")
_REMOVE_QUARANTINED: Final = text("""
    delete from destination_quarantine
     where destination_id = :destination_id and integrated_account_id = :account_id
           and (cast(:resource as text) is null or resource = :resource)
""")


def list_waiting_runs(connection: Connection, claim: CursorClaim) -> Mapping[str, int]:
    """Return the account's runs that complete once their records are here, and up to where these are counted."""
    return {str(run_id): int(through) for run_id, through in connection.execute(_WAITING, _place(claim))}


def count_of_runs(connection: Connection, claim: CursorClaim, books: Sequence[RunBooks]) -> None:
    """Add what became of runs' entries in a range."""
    if books:
        connection.execute(_COUNT_OF_RUN, [{**_place(claim), **asdict(one)} for one in books])


def quarantine(
    connection: Connection, claim: CursorClaim, records: Sequence[Quarantined], *, are_refused: bool
) -> None:
    """Record what is left out; ``are_refused``: the target can not hold it, which is not tried again in this epoch."""
    if records:
        values = _quarantine_values(claim, records)
        connection.execute(_QUARANTINE, {**values, "refused_epoch": claim.epoch if are_refused else None})


def list_refused(connection: Connection, claim: CursorClaim, *, after: int, through: int) -> Sequence[Quarantined]:
    """List what was noted as refused since the account was last filled anew, in a range of its log."""
    values = {**_place(claim), "epoch": claim.epoch, "after": after, "through": through}
    return [Quarantined(**row) for row in connection.execute(_REFUSED, values).mappings()]


def release(connection: Connection, claim: CursorClaim, moved: Moved) -> None:
    """Forget what was quarantined of keys that have landed since."""
    for resource, keys in moved.landed.items():
        connection.execute(_RELEASE, {**_place(claim), "resource": resource, "remote_ids": list(keys)})


def remove(connection: Connection, place: Mapping[str, object], resource: str | None) -> None:
    """Forget what is left out of an account, or of one of its resources."""
    connection.execute(_REMOVE_QUARANTINED, {**place, "resource": resource})


def _place(claim: CursorClaim) -> dict[str, Any]:
    return {"destination_id": claim.destination_id, "account_id": claim.account_id}


def _quarantine_values(claim: CursorClaim, quarantined: Sequence[Quarantined]) -> dict[str, Any]:
    return {
        "destination_id": claim.destination_id,
        "account_id": claim.account_id,
        "resources": [one.resource for one in quarantined],
        "remote_ids": [one.remote_id for one in quarantined],
        "sequences": [one.sequence for one in quarantined],
        "reasons": [one.reason for one in quarantined],
    }
