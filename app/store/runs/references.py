"""What a request for a run refers to, read in one trip: each trip costs as much as all that is decided about it."""

from typing import Final

from sqlalchemy import Engine, and_, bindparam, literal_column, select

from app.engine.objects.environments import EnvironmentId
from app.services.runs.conflicts import retry_conflicts
from app.services.runs.requests import RunReferences
from app.store import tables
from app.store.accounts.accounts import account_of
from app.store.catalog.jobs import job_of
from app.store.db.autocommit import autocommit_of
from app.store.secrets.encryption import Cipher

_JOB: Final = tables.sync_job
_ACCOUNT: Final = tables.integrated_account
_INTEGRATION: Final = tables.integration

_JOB_NAMES: Final = [column.name for column in _JOB.c]
_ACCOUNT_NAMES: Final = [*(column.name for column in _ACCOUNT.c), "integration_name"]

_BOTH = select(
    *(column.label(f"job_{column.name}") for column in _JOB.c),
    *(column.label(f"account_{column.name}") for column in _ACCOUNT.c),
    _INTEGRATION.c.name.label("account_integration_name"),
    literal_column("cast(sync_job.xmin as text)").label("job_version"),
).select_from(
    select(literal_column("1").label("one"))
    .subquery("asked")
    .outerjoin(_JOB, and_(_JOB.c.environment_id == bindparam("environment"), _JOB.c.id == bindparam("job")))
    .outerjoin(
        _ACCOUNT.join(_INTEGRATION, _INTEGRATION.c.id == _ACCOUNT.c.integration_id),
        and_(_ACCOUNT.c.environment_id == bindparam("environment"), _ACCOUNT.c.id == bindparam("account")),
    )
)


@retry_conflicts
class RunReferenceStore:
    """The sync job and the integrated account of a requested run."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        self._autocommit = autocommit_of(engine)
        self._cipher = cipher

    def read(self, environment_id: EnvironmentId, *, job_id: str | None, account_id: str | None) -> RunReferences:
        """Read both; the account has its credentials."""
        row = self._autocommit.one(_BOTH, {"environment": environment_id, "job": job_id, "account": account_id})
        assert row is not None
        values = list(row.values())
        job = dict(zip(_JOB_NAMES, values, strict=False))
        account = dict(zip(_ACCOUNT_NAMES, values[len(_JOB_NAMES) : -1], strict=True))
        return RunReferences(
            job=job_of(job) if job["id"] is not None else None,
            job_version=row["job_version"] or "",
            account=account_of(account, self._cipher) if account["id"] is not None else None,
        )
