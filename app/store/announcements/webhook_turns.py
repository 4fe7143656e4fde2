"""How many deliveries of one webhook are in flight, over all daemons, and which unit is next when there are too many.

A delivery is under way as long as its lease stands: that of a run's delivery unit, or that of an event of no run. So
what a daemon had under way when it died counts no longer than its leases last. Near to the bound all claims take turns
under the webhook's lock, so that they see each other's. Those far below it take no lock: they count once more when they
are committed, and are given back where that is too many. Of those that pass, the last to commit has counted all.
"""

from typing import Final

from sqlalchemy import text

from app.engine.status import UnitStatus
from app.store.tables.statuses import is_due

HEADROOM: Final = 8
"""How far below the bound claims take no lock: more than claim for one webhook within a millisecond, nearly always."""

_LOCK_SPACE: Final = 1317


def under_way(webhook_id: str) -> str:
    """Return SQL that counts the deliveries under way of a webhook, whose id is given as SQL."""
    return f"""
        ((select count(*) from unit held
           where held.kind = 'delivery' and held.status = '{UnitStatus.LEASED}' and held.webhook_id = {webhook_id}
                 and held.lease_expires_at > now())
         + (select count(*) from delivery sent
             where sent.run_id is null and sent.webhook_id = {webhook_id} and sent.lease_expires_at > now()))
    """


def lock_key(webhook_id: str) -> str:
    """Return SQL that makes the key of a webhook's advisory lock."""
    return f"hashtextextended(cast({webhook_id} as text), {_LOCK_SPACE})"


WEBHOOK_OF_UNIT: Final = "(select of_run.webhook_id from sync_job_run of_run where of_run.id = unit.run_id)"

IS_WITHIN: Final = text(f"select :most_of_webhook >= {under_way(':webhook_id')} as is_within")

# The unit first, which a page's write may hold for long: the holder of the webhook's lock waits for nothing else.
LOCK_WEBHOOK: Final = text(f"""
    with own as (select id from unit where id = :unit_id and kind = 'delivery' for no key update skip locked)
    select pg_advisory_xact_lock({lock_key(WEBHOOK_OF_UNIT)}) from unit join own on own.id = unit.id
""")

# A ready unit that names a webhook waits for its turn there.
WAIT: Final = text(f"""
    update unit set webhook_id = {WEBHOOK_OF_UNIT}, rung_at = now()
     where id = :unit_id and kind = 'delivery' and {is_due()}
""")

# Marked as dispatched, so that two callers at once get different units.
NEXT_OF_WEBHOOK: Final = text(f"""
    with next as (
        select waiting.id from unit waiting
         where waiting.kind = 'delivery' and {is_due("waiting")}
               and waiting.webhook_id = :webhook_id
         order by waiting.rung_at limit greatest(0, :most_of_webhook - {under_way(":webhook_id")})
           for update skip locked)
    update unit set rung_at = now() from next, sync_job_run r
     where unit.id = next.id and r.id = unit.run_id
 returning unit.run_id, unit.id, r.queue
""")
