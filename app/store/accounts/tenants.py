"""Tenants in Postgres: made by hand, or by their first account."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, exists, select
from sqlalchemy.dialects.postgresql import insert

from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId, Tenant, is_tenant_id
from app.engine.objects.lists import RowVersion
from app.services.runs.conflicts import repeats_conflicts
from app.store import tables
from app.store.db import owned_rows
from app.store.db.database import reading
from app.store.db.owned_rows import OwnedStore, build_object
from app.store.db.row_versions import demand, unchanged

_TABLE: Final = tables.tenant
_ACCOUNT: Final = tables.integrated_account


@repeats_conflicts
class TenantStore(OwnedStore[Tenant]):
    """The tenants of all environments."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, _TABLE, partial(build_object, Tenant))

    def create_all(self, environment_id: EnvironmentId, tenants: Sequence[JsonObject]) -> Sequence[Tenant]:
        """Write tenants, and return those that were not there before."""
        rows = [{"metadata": {}, **tenant, "environment_id": environment_id} for tenant in tenants]
        statement = insert(_TABLE).values(rows).on_conflict_do_nothing().returning(_TABLE)
        with self._engine.begin() as connection:
            return [self._build(row) for row in connection.execute(statement).mappings().all()]

    def get(self, environment_id: EnvironmentId, id: str) -> Tenant | None:
        """Read a tenant."""
        with reading(self._engine) as connection:
            row = connection.execute(_select(environment_id, id)).mappings().one_or_none()
        return self._build(row) if row else None

    def delete(self, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove a tenant; raise InvalidInputError while it has accounts."""
        has_accounts = exists().where(_ACCOUNT.c.environment_id == environment_id, _ACCOUNT.c.tenant_id == id)
        mine = _TABLE.c.environment_id == environment_id, _TABLE.c.id == id
        with self._engine.begin() as connection:
            if connection.execute(select(_TABLE.c.id).where(*mine).with_for_update()).first() is None:
                demand(is_done=False, seen=seen)
                return False
            if connection.execute(select(has_accounts)).scalar_one():
                advice = "delete them first, as POST /integrated-account/bulk-delete does"
                raise InvalidInputError([Failure("id", f"tenant '{id}' has accounts: {advice}")])
            is_done = connection.execute(delete(_TABLE).where(*mine, unchanged(_TABLE, seen))).rowcount == 1
        demand(is_done, seen)
        return True


def ensure(connection: Connection, environment_id: str, tenant_id: str) -> None:
    """Make the tenant of an account unless it is there, within the caller's transaction."""
    if is_tenant_id(tenant_id):
        values = {"environment_id": environment_id, "id": tenant_id, "name": tenant_id}
        connection.execute(insert(_TABLE).values(**values).on_conflict_do_nothing())


def _select(environment_id: EnvironmentId, id: str) -> Any:
    return owned_rows.select_in(_TABLE, environment_id).where(_TABLE.c.id == id)
