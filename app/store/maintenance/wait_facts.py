"""Read what a run's progress depends on."""

from typing import Final

from sqlalchemy import Engine, text

from app.engine.objects.runs import SyncJobRun
from app.engine.runs.settling import Exchanges
from app.engine.status import OPEN_UNIT_STATUSES, DaemonStatus, DeliveryStatus, ResourceStatus, RunStatus, UnitStatus
from app.services.diagnosis.run_facts import (
    DeliveryFacts,
    LastReport,
    ResourceFacts,
    RunFacts,
    SilentHolder,
    UnitFacts,
)
from app.services.runs.conflicts import retry_conflicts
from app.settings import Settings
from app.store.db.database import Row, reading
from app.store.maintenance.daemons import DaemonStore
from app.store.runs import landing
from app.store.tables.statuses import any_of, is_free

_COMPARED_RUNS: Final = 20
_MISSED_REPORTS: Final = 2.5

_UNITS = text(f"""
    select count(*) filter (where status = '{UnitStatus.LEASED}' and lease_expires_at > now()) as working,
           count(*) filter (where is_free) as waiting,
           min(case when status = '{UnitStatus.LEASED}' then lease_expires_at else greatest(updated_at, wake_at) end)
               filter (where is_free) as waiting_since,
           count(*) filter (where status = '{UnitStatus.READY}' and not is_free) as parked,
           min(wake_at) filter (where status = '{UnitStatus.READY}' and not is_free) as wakes_at,
           count(*) filter (where status = '{UnitStatus.BLOCKED}') as blocked
      from unit cross join lateral (
           select {is_free()} as is_free) free
     where run_id = :run_id and kind = 'fetch' and status in {any_of(OPEN_UNIT_STATUSES)}
""")

_DELIVERIES = text(f"""
    select (select count(*) from delivery d where d.run_id = :run_id
           and d.status = '{DeliveryStatus.PENDING}') as pending,
           coalesce(first.attempts, 0) as attempts, first.last_status_code, first.last_error,
           (select min(u.wake_at) from unit u
             where u.run_id = :run_id and u.kind = 'delivery' and u.status = '{UnitStatus.READY}' and u.wake_at > now())
               as retries_at,
           (select disabled_reason from webhook w where w.id = :webhook_id) as disabled_reason
      from (select 1) as one left join lateral (
           select attempts, last_status_code, last_error from delivery d
            where d.run_id = :run_id
                  and d.status = '{DeliveryStatus.PENDING}' order by d.sequence, d.part limit 1) first on true
""")

# Runs of the same job and account that ended well, the newest few: what its resources usually take.
_RESOURCES = text(f"""
    with past as (
        select id from sync_job_run
         where integrated_account_id = :account_id and sync_job_id = :job_id and status = '{RunStatus.COMPLETED}'
               and id <> :run_id
         order by created_at desc, id desc limit :compared),
         usual as (
        select r.name, sum(r.answer_ms)::float8 / sum(r.answered) as answer_ms
          from past join run_resource r on r.run_id = past.id where r.answered > 0 group by r.name)
    select r.name, r.method, r.status, r.requests, r.answered, r.answer_ms, r.started_at, r.finished_at,
           usual.answer_ms as usual_ms, greatest(r.heard_at, asking.since) as asked_since, asking.units
      from run_resource r left join usual on usual.name = r.name cross join lateral (
           select min(u.rung_at) as since, count(*) as units from unit u
            where u.resource_id = r.id and u.status = '{UnitStatus.LEASED}' and u.lease_expires_at > now()) asking
     where r.run_id = :run_id order by r.position
""")

_SILENT_HOLDER = text(f"""
    select d.label, coalesce(r.name, 'deliveries') as what, u.held_since, d.last_active_at as reported_at,
           u.lease_expires_at - make_interval(secs => :lease_seconds) as renewed_at, u.lease_expires_at as expires_at
      from unit u left join daemon d on d.lease_owner = u.lease_owner left join run_resource r on r.id = u.resource_id
     where u.run_id = :run_id and u.status = '{UnitStatus.LEASED}'
           and u.lease_expires_at < now() + make_interval(secs => :lease_seconds / 2)
     order by u.lease_expires_at limit 1
""")

# A daemon that signs off sets both times at once.
_LAST_REPORT = text(f"""
    select label, last_active_at as reported_at from daemon
     where (cast(:group_key as text) is null or group_key = :group_key)
           and (status <> '{DaemonStatus.STOPPED}' or last_active_at < updated_at)
     order by last_active_at desc limit 1
""")

_USUAL_SECONDS = text(f"""
    select percentile_cont(0.5) within group (order by extract(epoch from finished_at - started_at))
      from (select started_at, finished_at from sync_job_run
             where integrated_account_id = :account_id and sync_job_id = :job_id and status = '{RunStatus.COMPLETED}'
                   and id <> :run_id
             order by created_at desc, id desc limit :compared) past
""")


@retry_conflicts
class RunFactStore:
    """The facts of all runs."""

    def __init__(self, engine: Engine, daemons: DaemonStore, settings: Settings, *, silence_seconds: float) -> None:
        self._engine = engine
        self._daemons = daemons
        self._silence_seconds = silence_seconds
        self._lease_seconds = settings.lease_seconds
        self._unheard_seconds = _MISSED_REPORTS * settings.heartbeat_seconds
        self._destination_wait_seconds = settings.destination_wait_seconds

    def of(self, run: SyncJobRun) -> RunFacts:
        """Read those of a run."""
        values = {
            "run_id": run.id,
            "webhook_id": run.webhook_id,
            "account_id": run.integrated_account_id,
            "job_id": run.sync_job_id,
            "compared": _COMPARED_RUNS,
            "group_key": run.daemon_group_key,
            "lease_seconds": self._lease_seconds,
        }
        with reading(self._engine) as connection:
            units = connection.execute(_UNITS, values).mappings().one()
            deliveries = connection.execute(_DELIVERIES, values).mappings().one()
            resources = connection.execute(_RESOURCES, values).mappings().all()
            awaited = landing.read_awaited(connection, run.id) if run.landing_since else ()
            holder = connection.execute(_SILENT_HOLDER, values).mappings().first()
            report = connection.execute(_LAST_REPORT, values).mappings().first()
            usual_seconds = connection.execute(_USUAL_SECONDS, values).scalar_one()
        return RunFacts(
            units=UnitFacts(**units),
            deliveries=DeliveryFacts(**deliveries),
            resources=[_resource(row) for row in resources],
            destinations=awaited,
            destination_wait_seconds=self._destination_wait_seconds,
            silent_holder=SilentHolder(**holder) if holder else None,
            last_report=LastReport(**report) if report else None,
            unheard_seconds=self._unheard_seconds,
            active_daemons=self._active_daemons(run),
            usual_seconds=None if usual_seconds is None else float(usual_seconds),
        )

    def _active_daemons(self, run: SyncJobRun) -> int:
        live = self._daemons.count_live_by_group(within_seconds=self._silence_seconds)
        if run.daemon_group_key is None:
            return sum(live.values())
        return live.get(run.daemon_group_key, 0)


def _resource(row: Row) -> ResourceFacts:
    return ResourceFacts(
        name=row["name"],
        method=row["method"],
        status=ResourceStatus(row["status"]),
        exchanges=Exchanges(requests=row["requests"], answered=row["answered"], answer_ms=row["answer_ms"]),
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        asked_since=row["asked_since"] if row["units"] else None,
        usual_ms=row["usual_ms"],
    )
