"""Environments and their API tokens in Postgres; of a token only the hash is kept."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, Interval, bindparam, select, text

from app.engine.errors import StoreReadOnlyError
from app.engine.ids import new_id
from app.engine.objects.environments import ApiToken, EnvironmentId, Role
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.services.catalog.ports import KnownToken
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db import owned_rows
from app.store.db.autocommit import autocommit_of
from app.store.db.database import Row, reading
from app.store.db.owned_rows import build_object
from app.store.db.row_versions import demand

_TABLE = tables.api_token

_ENSURE = text("insert into environment (id, name) values (:id, :name) on conflict (name) do nothing")

_FIND = text("""
    select *, now(), extract(epoch from expires_at - now()) as seconds_left from api_token where token_hash = :hash
""")

# Once a minute is enough to see whether a token is still in use; a write per request would be too much.
_NOTE_USE = text("""
    update api_token set last_used_at = now()
     where token_hash = :hash and revoked_at is null
""")
_USE_PRECISION = timedelta(minutes=1)

# A use less than a minute after the recorded one is not recorded itself.
_REVOKE = text("""
    update api_token set revoked_at = now(), updated_at = now()
     where id = :id and environment_id = :environment_id and revoked_at is null
           and (cast(:seen as text) is null or cast(xmin as text) = :seen)
 returning extract(epoch from now() - last_used_at - :precision) as rests_for
""").bindparams(bindparam("precision", _USE_PRECISION, type_=Interval))


@retry_conflicts
class TokenStore:
    """The API tokens of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._autocommit = autocommit_of(engine)

    def ensure_environment(self, name: str) -> EnvironmentId:
        """Find an environment by its name, or make it."""
        with self._engine.begin() as connection:
            connection.execute(_ENSURE, {"id": new_id(), "name": name})
            statement = select(tables.environment.c.id).where(tables.environment.c.name == name)
            return EnvironmentId(str(connection.execute(statement).scalar_one()))

    def create(self, environment_id: EnvironmentId, *, token_hash: bytes, values: Mapping[str, Any]) -> ApiToken:
        """Insert a token."""
        owned = {**values, "id": new_id(), "environment_id": environment_id, "token_hash": token_hash}
        return _build_token(owned_rows.insert_row(self._engine, _TABLE, owned))

    def find(self, token_hash: bytes) -> KnownToken | None:
        """Find the token with a hash, valid or not, and record its use."""
        row = self._autocommit.one(_FIND, {"hash": token_hash})
        if row is None:
            return None
        if row["revoked_at"] is None and (
            row["last_used_at"] is None or row["last_used_at"] < row["now"] - _USE_PRECISION
        ):
            noted = self._record_use(token_hash)
            # No use is recorded when the token was revoked in between: the revocation has not seen it.
            row = row if noted else self._autocommit.one(_FIND, {"hash": token_hash})
        if row is None:
            return None
        return KnownToken(_build_token(row), math.inf if row["seconds_left"] is None else float(row["seconds_left"]))

    def _record_use(self, token_hash: bytes) -> bool:
        """Record a use of a token; return whether it is still valid. A read-only Postgres still serves requests."""
        try:
            return self._autocommit.count(_NOTE_USE, {"hash": token_hash}) > 0
        except StoreReadOnlyError:
            return True

    def get(self, environment_id: EnvironmentId, token_id: str) -> ApiToken | None:
        """Read one token that is not revoked."""
        row = owned_rows.find_row(self._engine, _TABLE, environment_id, token_id)
        return _build_token(row) if row and row["revoked_at"] is None else None

    def page(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[ApiToken]:
        """Read a page of the tokens that are not revoked."""
        only = _TABLE.c.revoked_at.is_(None)
        return owned_rows.list_rows(self._engine, _TABLE, environment_id, _build_token, filters, only=only)

    def all(self, environment_id: EnvironmentId) -> list[ApiToken]:
        """List an environment's tokens, also revoked ones, newest first."""
        statement = owned_rows.select_in(_TABLE, environment_id).order_by(_TABLE.c.created_at.desc())
        with reading(self._engine) as connection:
            return [_build_token(row) for row in connection.execute(statement).mappings()]

    def revoke(self, environment_id: EnvironmentId, token_id: str, *, seen: RowVersion | None = None) -> float | None:
        """Make a token invalid; return for how many seconds at least it was not used, None when there is none."""
        values = {"id": token_id, "environment_id": environment_id, "seen": seen}
        with self._engine.begin() as connection:
            row = connection.execute(_REVOKE, values).one_or_none()
        demand(row is not None, seen)
        if row is None:
            return None
        return math.inf if row.rests_for is None else float(row.rests_for)


def _build_token(row: Row) -> ApiToken:
    return build_object(ApiToken, row, role=Role(row["role"]))
