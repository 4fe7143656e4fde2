"""Count what is under way over all environments, by indexes that hold only that."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, Engine, TextClause, text

from app.engine.objects.daemons import name_queue
from app.engine.status import (
    LIVE_RUN_STATUSES,
    OPEN_UNIT_STATUSES,
    DaemonStatus,
    DeliveryStatus,
    RunStatus,
    UnitStatus,
)
from app.services.diagnosis.fleet import FleetFacts, MetricsTarget, MutexWait, SilentDaemon
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import reading
from app.store.destinations import states
from app.store.maintenance.daemons import DaemonStore
from app.store.runs import mutexes
from app.store.tables.statuses import any_of

_LIVE: Final = f"status in {any_of(LIVE_RUN_STATUSES)}"
_RUNS: Final = text(f"select status, count(*) from sync_job_run where {_LIVE} group by status")
_OLDEST: Final = text(f"""
    select daemon_group_key, extract(epoch from now() - min(created_at))::float8 from sync_job_run
     where status = '{RunStatus.CREATED}' and not {mutexes.waits("sync_job_run")} group by daemon_group_key
""")
_MUTEX: Final = text(f"""
    select run.id::text as run_id, ({mutexes.waiting_on("run")})::text as waiting_on,
           extract(epoch from now() - run.created_at)::float8 as seconds
      from sync_job_run run where {mutexes.waits("run")} order by run.created_at, run.id limit 1
""")
_LIMIT: Final = text(f"""
    select coalesce(greatest(max(extract(epoch from retry_after - now())), 0), 0)::float8 from sync_job_run
     where status = '{RunStatus.RATE_LIMITED}'
""")
# A daemon that signs off sets both times at once. One that is started again in its place takes its name.
_SILENT: Final = text(f"""
    select label, group_key, extract(epoch from now() - last_active_at)::float8 as seconds from daemon lost
     where last_active_at > now() - interval '1 day'
           and case when status = '{DaemonStatus.STOPPED}' then last_active_at < updated_at
                    else last_active_at < now() - make_interval(secs => :within) end
           and not exists (select from daemon other
                            where other.label = lost.label and other.last_active_at > lost.last_active_at)
     order by last_active_at desc limit 20
""")
_UNITS: Final = text(f"""
    select case when unit.status = '{UnitStatus.LEASED}' and lease_expires_at < now() then 'expired'
                when unit.status = '{UnitStatus.READY}' and wake_at > now() then 'parked'
                else unit.status end as state, count(*)
      from sync_job_run run join unit on unit.run_id = run.id and unit.status in {any_of(OPEN_UNIT_STATUSES)}
     where run.{_LIVE} group by state
""")
_DELIVERIES: Final = text(f"""
    select count(*) filter (where run_id is not null),
           coalesce(extract(epoch from now() - min(created_at) filter (where run_id is not null)), 0)::float8,
           count(*) filter (where run_id is null)
      from delivery where status = '{DeliveryStatus.PENDING}'
""")
_ACCOUNTS: Final = text("select status, count(*) from integrated_account group by status")
_DISABLED: Final = text("select count(*) from webhook where disabled_reason is not null")
_VIEWS: Final = text("""
    select (select count(*) from resource_schema where view_error is not null)
           + (select count(*) from environment_reader where error is not null)
""")
_DESTINATIONS: Final = text("""
    select c.error_code, count(distinct c.destination_id)
      from destination_cursor c join destination d on d.id = c.destination_id and d.paused_at is null
     where c.error_code is not null group by 1
""")
_PROMISED: Final = text("select count(*) from outbox")

_TARGETS: Final = text(f"""
    select metadata ->> 'metrics_address', group_key, label from daemon
     where status = '{DaemonStatus.ACTIVE}' and last_active_at > now() - make_interval(secs => :within)
           and metadata ? 'metrics_address'
     order by group_key, label
""")


@retry_conflicts
class FleetReader:
    """The facts of an installation."""

    def __init__(self, engine: Engine, daemons: DaemonStore, *, silence_seconds: float) -> None:
        self._engine = engine
        self._daemons = daemons
        self._silence_seconds = silence_seconds

    def read(self) -> FleetFacts:
        """Read them in one snapshot; raise StoreUnavailableError."""
        live = self._daemons.count_live_by_group(within_seconds=self._silence_seconds)
        failing = self._daemons.read_failing_duties(within_seconds=self._silence_seconds)
        with reading(self._engine) as connection:
            pending, oldest_seconds, announcements = connection.execute(_DELIVERIES).one()
            mutex_wait = connection.execute(_MUTEX).mappings().first()
            silent = connection.execute(_SILENT, {"within": self._silence_seconds}).mappings()
            return FleetFacts(
                runs=_count(connection, _RUNS),
                oldest_created_seconds={name_queue(group): age for group, age in connection.execute(_OLDEST)},
                mutex_wait=MutexWait(**mutex_wait) if mutex_wait else None,
                longest_limit_seconds=connection.execute(_LIMIT).scalar_one(),
                units=_count(connection, _UNITS),
                deliveries_pending=pending,
                oldest_delivery_seconds=oldest_seconds,
                announcements_pending=announcements,
                accounts=_count(connection, _ACCOUNTS),
                webhooks_disabled=connection.execute(_DISABLED).scalar_one(),
                views_failing=connection.execute(_VIEWS).scalar_one(),
                destinations_failing=_count(connection, _DESTINATIONS),
                destinations=states.count_states(connection),
                needy_destinations=states.list_needy(connection),
                messages_promised=connection.execute(_PROMISED).scalar_one(),
                daemons=live,
                silent_daemons=[SilentDaemon(**row) for row in silent],
                failing_duties=sorted(failing),
            )

    def list_targets(self) -> Sequence[MetricsTarget]:
        """List where the daemons that report serve their metrics; raise StoreUnavailableError."""
        with reading(self._engine) as connection:
            rows = connection.execute(_TARGETS, {"within": self._silence_seconds})
            return [MetricsTarget(address=address, group_key=group, label=label) for address, group, label in rows]


def _count(connection: Connection, statement: TextClause) -> dict[str, int]:
    return {str(name): int(count) for name, count in connection.execute(statement)}
