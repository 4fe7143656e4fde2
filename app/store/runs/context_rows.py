"""All that a run's context is made of, read in one trip: a daemon reads it before each slice."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Engine, and_, bindparam, literal_column, select

from app.engine.runs.increments import LowerBounds
from app.services.contexts.context import ContextRows
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.accounts.accounts import account_of
from app.store.catalog.environment_integrations import effective_of
from app.store.db.autocommit import autocommit_of
from app.store.records.keys import NOBODY
from app.store.runs.rows import SELECT_RUN, run_of
from app.store.secrets.encryption import Cipher

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
