"""How all destinations stand, over all environments: how many there are of each status, and the worst of them."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, text

from app.engine.status import CursorStatus
from app.services.diagnosis.fleet import DestinationState
from app.store.destinations.destinations import WAITS

MOST: Final = 500
"""Destinations that are shown one by one: each is a series of Prometheus."""
_LOOK: Final = f"""
    select d.id::text as id, s.type, d.paused_at is not null as is_paused,
           coalesce(sum(greatest(0, l.last_sequence - c.cursor)), 0)::bigint as lag_records,
           coalesce(max(extract(epoch from now() - c.failing_since))
               filter (where c.status = '{CursorStatus.FAILING}'), 0)::float8 as failing_seconds
      from destination d
      join datastore s on s.id = d.datastore_id
      left join destination_cursor c on c.destination_id = d.id
      left join account_log l on l.integrated_account_id = c.integrated_account_id
     group by d.id, s.type
"""
_COUNT: Final = text(f"""
    select type, case when is_paused then 'paused' when failing_seconds > 0 then 'failing'
                      when lag_records > 0 then 'behind' else 'current' end as status, count(*)
      from ({_LOOK}) looked group by 1, 2
""")
# How long the oldest entry has waited is looked up for those alone that are shown.
_NEEDY: Final = text(f"""
    select id, type, lag_records, failing_seconds, coalesce((
           select max({WAITS}) from destination_cursor c
             join account_log l on l.integrated_account_id = c.integrated_account_id and l.last_sequence > c.cursor
            where c.destination_id = looked.id::uuid), 0)::float8 as lag_seconds
      from ({_LOOK}) looked
     where not is_paused and (failing_seconds > 0 or lag_records > 0)
     order by failing_seconds desc, lag_records desc, id limit {MOST}
""")


def count_states(connection: Connection) -> Mapping[tuple[str, str], int]:
    """Count destinations by the type of their datastore and by their status."""
    return {(kind, status): int(count) for kind, status, count in connection.execute(_COUNT)}


def list_needy(connection: Connection) -> Sequence[DestinationState]:
    """List the destinations that fail or lag, the worst first."""
    return [DestinationState(**row) for row in connection.execute(_NEEDY).mappings()]
