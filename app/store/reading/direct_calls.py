"""Direct calls in Postgres: a row each, until retention removes it."""

from dataclasses import asdict
from typing import Final

from sqlalchemy import Engine, ScalarSelect, insert, select

from app.engine.logs.entries import DirectCall
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.services.calls.call_log import AnsweredCall
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import owned_rows, paging
from app.store.db.database import Row, reading
from app.store.db.owned_rows import build_object

_TABLE = tables.direct_call
_NAMED: Final = {"request_type": _TABLE.c.api}
"""What the log calls columns."""


@retry_conflicts
class DirectCallStore:
    """The direct calls of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, id: str, call: AnsweredCall) -> None:
        """Record a call; an account that is none of the environment's is not named."""
        values = {**asdict(call), "id": id, "integrated_account_id": _own_account(call)}
        with self._engine.begin() as connection:
            connection.execute(insert(_TABLE).values(**values))

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[DirectCall]:
        """Read a page of calls."""
        statement = paging.narrow(owned_rows.select_in(_TABLE, environment_id), _TABLE, filters, _NAMED)
        with reading(self._engine) as connection:
            return paging.read_page(
                connection, statement, _TABLE, _call, limit=filters.limit, cursor=filters.cursor, sort=filters.sort
            )


def _own_account(call: AnsweredCall) -> ScalarSelect[str]:
    account = tables.integrated_account.c
    own = select(account.id).where(account.environment_id == call.environment_id)
    return own.where(account.id == call.integrated_account_id).scalar_subquery()


def _call(row: Row) -> DirectCall:
    return build_object(DirectCall, row)
