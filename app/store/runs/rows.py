"""Runs as rows, read as the objects that they stand for: alone, with their context, and how far they are."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Text, and_, bindparam, literal_column, select, text

from app.engine.json_types import JsonObject
from app.engine.objects.runs import RunError, SyncJobRun
from app.engine.runs import books
from app.engine.runs.books import Counters, ListFacts
from app.engine.runs.increments import LowerBounds
from app.engine.runs.settling import Exchanges, Progress, ResourceState
from app.engine.status import OPEN_UNIT_STATUSES, DeliveryStatus, ErrorHandling, ResourceStatus, RunStatus, UnitStatus
from app.services.contexts.context import ContextRows
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.accounts.accounts import account_of
from app.store.catalog.environment_integrations import effective_of
from app.store.db.autocommit import Autocommit, autocommit_of
from app.store.db.database import Row
from app.store.db.owned_rows import build_object
from app.store.records.keys import NOBODY
from app.store.runs.mutexes import waiting_on
from app.store.secrets.encryption import Cipher
from app.store.tables.statuses import any_of

SELECT_RUN = select(
    tables.sync_job_run, literal_column(f"cast({waiting_on('sync_job_run')} as text)", Text).label("waiting_on")
)
"""A run's row, and which run it waits for."""

_ONE = SELECT_RUN.where(tables.sync_job_run.c.id == bindparam("id"))

# Resources of runs that an earlier version made have no bound of their own.
_STATS = text(
    "select r.run_id, r.name, r.method, r.status, r.persist, r.started_at, r.finished_at, r.expected, r.warnings, "
    + "r.reading, coalesce(r.previous_run_date, run.previous_run_date) as previous_run_date, "
    + ", ".join(f"r.{name}" for name in tables.COUNTERS)
    + " from run_resource r join sync_job_run run on run.id = r.run_id"
    + " where r.run_id = any(:run_ids) order by r.run_id, r.position"
)


def stats_of(connection: Connection, run_ids: Sequence[str]) -> dict[str, JsonObject]:
    """Derive resource_stats of several runs at once: ``{run: {resource: {method: {...}}}}``."""
    return _stats(connection.execute(_STATS, {"run_ids": list(run_ids)}).mappings())


def read_run(autocommit: Autocommit, run_id: str, *, with_stats: bool) -> SyncJobRun | None:
    """Read a run of any environment; without stats it costs one query, and its ``resource_stats`` are empty."""
    row = autocommit.one(_ONE, {"id": run_id})
    if row is None:
        return None
    stats = _stats(autocommit.all(_STATS, {"run_ids": [run_id]})) if with_stats else {}
    return run_of(row, stats.get(run_id, {}))


def _stats(rows: Iterable[Row]) -> dict[str, JsonObject]:
    stats: dict[str, JsonObject] = {}
    for row in rows:
        shown = books.show_stats(
            Counters(**{name: row[name] for name in tables.COUNTERS}),
            status=row["status"],
            started_at=row["started_at"],
            finished_at=row["finished_at"],
            lists=ListFacts(
                expected=row["expected"],
                warnings=row["warnings"],
                reading=row["reading"],
                previous_run_date=row["previous_run_date"],
            ),
        )
        stats.setdefault(str(row["run_id"]), {}).setdefault(row["name"], {})[row["method"]] = shown
    return stats


def find_run(connection: Connection, run_id: str) -> SyncJobRun | None:
    """Read a run of any environment with its stats, as the caller's transaction sees it."""
    row = connection.execute(_ONE, {"id": run_id}).mappings().one_or_none()
    return run_of(row, stats_of(connection, [run_id]).get(run_id, {})) if row else None


def run_of(row: Row, stats: JsonObject) -> SyncJobRun:
    """Read a run's row, as ``SELECT_RUN`` returns it."""
    return build_object(
        SyncJobRun,
        row,
        status=RunStatus(row["status"]),
        error_handling=ErrorHandling(row["error_handling"]),
        resource_stats=stats,
    )


def error_of(row: Row) -> RunError:
    """Read an error's row."""
    return build_object(RunError, row, sync_job_run_id=str(row["run_id"]))


# One statement, so one snapshot: pages and deliveries are written meanwhile, and each moves several of these.
_PROGRESS = text(
    "select r.id, r.name, r.resource, r.method, r.parent_name, r.persist, r.status, r.started_at, r.rekeying, "
    + "r.requests, r.answered, r.answer_ms, "
    + "coalesce(r.previous_run_date, run.previous_run_date) as previous_run_date, "
    + ", ".join(f"r.{name}" for name in tables.COUNTERS)
    + f""",
           count(u.id) filter (where u.status in {any_of(OPEN_UNIT_STATUSES)}) as live_units,
           count(u.id) filter (where u.status = '{UnitStatus.CANCELLED}') as left_out,
           count(u.id) filter (where u.status = '{UnitStatus.READY}' and u.wake_at > now()
           and u.attempts = 0) as parked_units,
           min(u.wake_at) filter (where u.status = '{UnitStatus.READY}' and u.wake_at > now()
           and u.attempts = 0) as wakes_at,
           (select count(*) from delivery d
             where d.run_id = :run_id and d.status = '{DeliveryStatus.PENDING}'
                   and d.webhook_id = run.webhook_id) as pending
      from run_resource r join sync_job_run run on run.id = r.run_id left join unit u on u.resource_id = r.id
     where r.run_id = :run_id group by r.id, run.id order by r.position
    """
)


def read_progress(connection: Connection, run_id: str) -> Progress:
    """Read the run's resources with their counters and units that are left, and what waits for the webhook."""
    rows = connection.execute(_PROGRESS, {"run_id": run_id}).mappings().all()
    resources = [
        ResourceState(
            id=str(row["id"]),
            name=row["name"],
            resource=row["resource"],
            method=row["method"],
            parent_name=row["parent_name"],
            persist=row["persist"],
            status=ResourceStatus(row["status"]),
            started_at=row["started_at"],
            counters=Counters(**{name: row[name] for name in tables.COUNTERS}),
            live_units=row["live_units"],
            parked_units=row["parked_units"],
            wakes_at=row["wakes_at"],
            previous_run_date=row["previous_run_date"],
            left_out=row["left_out"],
            rekeying=row["rekeying"],
            exchanges=Exchanges(requests=row["requests"], answered=row["answered"], answer_ms=row["answer_ms"]),
        )
        for row in rows
    ]
    return Progress(resources, rows[0]["pending"] if rows else 0)


_RUN: Final = tables.sync_job_run
_ACCOUNT: Final = tables.integrated_account
_INTEGRATION: Final = tables.integration
_INSTALLED: Final = tables.environment_integration

_PARTS: Final = {
    "run": list(SELECT_RUN.selected_columns),
    "account": [*_ACCOUNT.c, _INTEGRATION.c.name.label("integration_name")],
    "integration": [*_INTEGRATION.c, _INSTALLED.c.override, _INSTALLED.c.origins.label("override_origins")],
}
_NAMES: Final = [(part, column.name) for part, columns in _PARTS.items() for column in columns]

# The start of a run alone reads by which keys records are held.
_KEYS: Final[tuple[ColumnElement[Any], ...]] = (
    literal_column("""
        (select jsonb_object_agg(name, rekeying) from run_resource
          where run_id = sync_job_run.id and rekeying is not null)
    """).label("rekeyings"),
    literal_column(f"""
        (select jsonb_object_agg(resource, jsonb_build_object(
                    'keys', keys, 'is_noted', is_shared or record_key.args_hash = sync_job_run.args_hash))
           from record_key
          where sync_job_run.begun_at is null
                and record_key.integrated_account_id = sync_job_run.integrated_account_id
                and record_key.webhook_id = coalesce(sync_job_run.webhook_id, '{NOBODY}')
                and record_key.sync_job_id = sync_job_run.sync_job_id)
    """).label("held_keys"),
)

_READ: Final = (
    select(
        *(column.label(f"{part}_{column.name}") for part, columns in _PARTS.items() for column in columns),
        literal_column(
            "(select jsonb_object_agg(own.name, jsonb_build_array("
            " own.id, nullif(own.previous_run_date, sync_job_run.previous_run_date)))"
            " from run_resource own where own.run_id = sync_job_run.id)"
        ).label("resources"),
        *_KEYS,
    )
    .select_from(
        _RUN.outerjoin(
            _ACCOUNT.join(_INTEGRATION, _INTEGRATION.c.id == _ACCOUNT.c.integration_id),
            and_(_ACCOUNT.c.id == _RUN.c.integrated_account_id, _ACCOUNT.c.environment_id == _RUN.c.environment_id),
        ).outerjoin(
            _INSTALLED,
            and_(
                _INSTALLED.c.integration_id == _INTEGRATION.c.id,
                _INSTALLED.c.environment_id == _INTEGRATION.c.environment_id,
            ),
        )
    )
    .where(_RUN.c.id == bindparam("id"))
)


@retry_conflicts
class ContextRowStore:
    """The runs of all environments, each with the account and the integration that it speaks to."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        self._autocommit = autocommit_of(engine)
        self._cipher = cipher

    def read(self, run_id: str) -> ContextRows | None:
        """Read a run without its stats, the account with its credentials, the integration with its override."""
        row = self._autocommit.one(_READ, {"id": run_id})
        if row is None:
            return None
        parts: dict[str, dict[str, Any]] = {part: {} for part in _PARTS}
        for (part, name), value in zip(_NAMES, row.values(), strict=False):
            parts[part][name] = value
        has_account = parts["account"]["id"] is not None
        run, resources = run_of(parts["run"], {}), row["resources"] or {}
        later = {name: datetime.fromisoformat(bound) for name, (_, bound) in resources.items() if bound is not None}
        return ContextRows(
            run=run,
            resource_ids={name: id for name, (id, _) in resources.items()},
            bounds=LowerBounds(run=run.previous_run_date, own=later),
            held_keys=row["held_keys"] or {},
            rekeyings=row["rekeyings"] or {},
            account=account_of(parts["account"], self._cipher) if has_account else None,
            integration=effective_of(parts["integration"], self._cipher) if has_account else None,
        )
