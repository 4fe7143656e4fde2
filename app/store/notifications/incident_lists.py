"""Incidents as people read them: those that are open, and what was."""

from typing import Any, Final

from sqlalchemy import Engine, Select, select

from app.engine.json_types import JsonObject
from app.engine.notifications import events, messages
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.engine.objects.notifications import Incident
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import paging
from app.store.db.database import Row, reading
from app.store.db.owned_rows import build_object

_TABLE = tables.incident
_ACCOUNT = tables.integrated_account.c
_INTEGRATION = tables.integration.c
_OF_ACCOUNT: Final = ("tenant_id", "integration_name")


@retry_conflicts
class IncidentReader:
    """The incidents of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, environment_id: EnvironmentId, id: str) -> Incident | None:
        """Read one incident."""
        with reading(self._engine) as connection:
            found = connection.execute(_select(environment_id).where(_TABLE.c.id == id))
            row = found.mappings().one_or_none()
        return _incident(row) if row else None

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[Incident]:
        """Read a page of incidents."""
        statement = paging.narrow(_select(environment_id), _TABLE, filters, {"is_open": _TABLE.c.resolved_at.is_(None)})
        with reading(self._engine) as connection:
            return paging.read_page(
                connection,
                statement,
                _TABLE,
                _incident,
                limit=filters.limit,
                cursor=filters.cursor,
                sort=filters.sort,
            )


def _select(environment_id: EnvironmentId) -> Select[Any]:
    """Select an environment's incidents, each with whose account it is about."""
    account = select(_ACCOUNT.tenant_id).where(_ACCOUNT.id == _TABLE.c.integrated_account_id)
    named = (
        select(_INTEGRATION.name)
        .join_from(tables.integrated_account, tables.integration, _ACCOUNT.integration_id == _INTEGRATION.id)
        .where(_ACCOUNT.id == _TABLE.c.integrated_account_id)
    )
    columns = (account.scalar_subquery().label("tenant_id"), named.scalar_subquery().label("integration_name"))
    return select(_TABLE, *columns).where(_TABLE.c.environment_id == environment_id)


def _incident(row: Row) -> Incident:
    event = events.EVENTS[row["event"]]
    return build_object(
        Incident,
        row,
        is_open=row["resolved_at"] is None,
        summary=messages.describe(row["event"], _example(row)),
        advice=event.advice,
    )


def _example(row: Row) -> JsonObject:
    known = ("subject", "count", "integrated_account_id", *_OF_ACCOUNT)
    return {**row["facts"], **{name: row[name] for name in known if row[name] is not None}}
