"""How all destinations stand, over all environments, as the leader has last seen them: no cursor is read for it."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, text

from app.services.diagnosis.fleet import DestinationState

MOST: Final = 500
"""Destinations that are shown one by one: each is a series of Prometheus."""
_COUNT: Final = text("""
    select s.type, case when d.paused_at is not null then 'paused' when seen.failing > 0 then 'failing'
                        when seen.lag_records > 0 then 'behind' else 'current' end as status, count(*)
      from destination d
      join datastore s on s.id = d.datastore_id
      left join destination_state seen on seen.destination_id = d.id
     group by 1, 2
""")
_NEEDY: Final = text(f"""
    select d.id::text as id, s.type, seen.lag_records,
           coalesce(extract(epoch from now() - seen.failing_since), 0)::float8 as failing_seconds,
           coalesce(extract(epoch from now() - seen.oldest_at), 0)::float8 as lag_seconds
      from destination_state seen
      join destination d on d.id = seen.destination_id and d.paused_at is null
      join datastore s on s.id = d.datastore_id
     where seen.failing > 0 or seen.lag_records > 0
     order by seen.failing_since, seen.lag_records desc, d.id limit {MOST}
""")


def count_states(connection: Connection) -> Mapping[tuple[str, str], int]:
    """Count destinations by the type of their datastore and by their status."""
    return {(kind, status): int(count) for kind, status, count in connection.execute(_COUNT)}


def list_needy(connection: Connection) -> Sequence[DestinationState]:
    """List the destinations that fail or lag, the worst first."""
    return [DestinationState(**row) for row in connection.execute(_NEEDY).mappings()]
