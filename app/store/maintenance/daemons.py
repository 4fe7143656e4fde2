"""The registry of daemons: who serves which group, and when it last reported."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from app.engine.json_types import JsonObject
from app.engine.objects.daemons import Daemon
from app.engine.objects.lists import ListFilters, Page
from app.engine.status import DaemonStatus
from app.services.maintenance.ports import Heartbeat
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import paging
from app.store.db.database import reading
from app.store.db.owned_rows import build_object

# A late report does not reactivate a daemon that signed off; it does reactivate one that only fell silent.
_NOTE = text(f"""
    with pulse as (select * from unnest(cast(:ids as text[]), cast(:silent_seconds as float8[])) as p (id, silent)),
         reported as (
             update daemon d
                set status = case when d.status = '{DaemonStatus.STOPPING}'
                                       or d.status = '{DaemonStatus.STOPPED}' and d.last_active_at >= d.updated_at
                                  then d.status else '{DaemonStatus.ACTIVE}' end,
                    last_active_at = now(), updated_at = now(),
                    consumed_at = coalesce(now() - make_interval(secs => pulse.silent), d.consumed_at)
               from pulse where d.id = pulse.id)
    update daemon set status = '{DaemonStatus.STOPPED}', updated_at = now()
     where status <> '{DaemonStatus.STOPPED}' and last_active_at < now() - make_interval(secs => :silence)
           and not exists (select from pulse where pulse.id = daemon.id)
""")


_NOTE_DROPPED = text("""
    update daemon set metadata = metadata || jsonb_build_object('dropped_messages', cast(:counts as jsonb))
     where id = :id
""")

_NOTE_FAILING = text("""
    update daemon
       set metadata = (metadata - 'failing_duties') || jsonb_strip_nulls(
               jsonb_build_object('failing_duties', nullif(cast(:faults as jsonb), '{}')))
     where id = :id
""")

_FAILING = text(f"""
    select metadata -> 'failing_duties' as faults from daemon
     where status = '{DaemonStatus.ACTIVE}' and last_active_at > now() - make_interval(secs => :within)
           and metadata ? 'failing_duties'
     order by last_active_at
""")


@retry_conflicts
class DaemonStore:
    """The daemons of all groups."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def register(
        self, daemon_id: str, *, group_key: str, label: str, metadata: JsonObject, lease_owner: str | None = None
    ) -> None:
        """Record the daemon as active, new or again; ``lease_owner`` is as whom it leases units."""
        values = {
            "label": label,
            "group_key": group_key,
            "status": DaemonStatus.ACTIVE,
            "metadata": metadata,
            "lease_owner": lease_owner,
            "last_active_at": func.now(),
            "updated_at": func.now(),
        }
        statement = insert(tables.daemon).values(id=daemon_id, **values)
        with self._engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))

    def set_status(self, daemon_id: str, status: DaemonStatus) -> None:
        """Record the daemon's status."""
        statement = update(tables.daemon).where(tables.daemon.c.id == daemon_id)
        with self._engine.begin() as connection:
            connection.execute(statement.values(status=status, last_active_at=func.now(), updated_at=func.now()))

    def record_dropped(self, daemon_id: str, counts: Mapping[str, int]) -> None:
        """Record in the daemon's metadata how many messages it has dropped, by reason."""
        with self._engine.begin() as connection:
            connection.execute(_NOTE_DROPPED, {"id": daemon_id, "counts": orjson.dumps(counts).decode()})

    def record_failing(self, daemon_id: str, faults: Mapping[str, JsonObject]) -> None:
        """Record in the daemon's metadata which of its duties fail; none removes the entry."""
        with self._engine.begin() as connection:
            connection.execute(_NOTE_FAILING, {"id": daemon_id, "faults": orjson.dumps(dict(faults)).decode()})

    def read_failing_duties(self, *, within_seconds: float) -> JsonObject:
        """Read which duties fail, of the daemons that reported not longer ago than this."""
        found: JsonObject = {}
        with reading(self._engine) as connection:
            for faults in connection.execute(_FAILING, {"within": within_seconds}).scalars():
                found |= faults
        return found

    def record_heartbeats(self, heartbeats: Sequence[Heartbeat], *, silence_seconds: float | None) -> int:
        """Record the reports; mark daemons without one for so long as stopped (None: no daemon)."""
        if not heartbeats and silence_seconds is None:
            return 0
        parameters = {
            "ids": [heartbeat.daemon_id for heartbeat in heartbeats],
            "silent_seconds": [heartbeat.silent_seconds for heartbeat in heartbeats],
            "silence": silence_seconds,
        }
        with self._engine.begin() as connection:
            return connection.execute(_NOTE, parameters).rowcount

    def get(self, daemon_id: str) -> Daemon | None:
        """Find one daemon."""
        with reading(self._engine) as connection:
            row = connection.execute(select(tables.daemon).where(tables.daemon.c.id == daemon_id)).mappings().first()
        return _daemon(row) if row else None

    def list(self, filters: ListFilters) -> Page[Daemon]:
        """Read a page of daemons."""
        statement = paging.narrow(select(tables.daemon), tables.daemon, filters)
        with reading(self._engine) as connection:
            return paging.read_page(
                connection,
                statement,
                tables.daemon,
                _daemon,
                limit=filters.limit,
                cursor=filters.cursor,
                sort=filters.sort,
            )

    def count_live_by_group(self, *, within_seconds: float) -> dict[str, int]:
        """Count the daemons of each group that reported, and took a message, not longer ago than this."""
        table = tables.daemon
        oldest = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, within_seconds)
        statement = (
            select(table.c.group_key, func.count())
            .where(
                table.c.status.in_([DaemonStatus.ACTIVE, DaemonStatus.STARTING]),
                # A leader that hangs as the others do marks nobody as stopped.
                table.c.last_active_at > oldest,
                func.coalesce(table.c.consumed_at, table.c.last_active_at) > oldest,
            )
            .group_by(table.c.group_key)
        )
        with reading(self._engine) as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}


def _daemon(row: Any) -> Daemon:
    return build_object(Daemon, row, status=DaemonStatus(row["status"]))
