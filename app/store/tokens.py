"""Environments and their API tokens in Postgres; of a token only the hash is kept."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, func, select, text, update

from app.engine.ids import new_id
from app.engine.objects import ApiToken, EnvironmentId, ListFilters, Page
from app.engine.roles import Role
from app.services.tokens import KnownToken
from app.store import catalog, tables
from app.store.database import Row, reading
from app.store.single_statements import singles_of

_TABLE = tables.api_token

_ENSURE = text("insert into environment (id, name) values (:id, :name) on conflict (name) do nothing")

_FIND = text("""
    select *, now(), coalesce(expires_at <= now(), false) as is_expired from api_token where token_hash = :hash
""")

# Once a minute is enough to see whether a token is still in use; a write per request would be too much.
_NOTE_USE = text("""
    update api_token set last_used_at = now()
     where token_hash = :hash
""")
_USE_PRECISION = timedelta(minutes=1)


class TokenStore:
    """The API tokens of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._singles = singles_of(engine)

    def ensure_environment(self, name: str) -> EnvironmentId:
        """Find an environment by its name, or make it."""
        with self._engine.begin() as connection:
            connection.execute(_ENSURE, {"id": new_id(), "name": name})
            statement = select(tables.environment.c.id).where(tables.environment.c.name == name)
            return EnvironmentId(str(connection.execute(statement).scalar_one()))

    def create(self, environment_id: EnvironmentId, *, token_hash: bytes, values: Mapping[str, Any]) -> ApiToken:
        """Write a token down."""
        owned = {**values, "id": new_id(), "environment_id": environment_id, "token_hash": token_hash}
        return _token(catalog.insert_row(self._engine, _TABLE, owned))

    def find(self, token_hash: bytes) -> KnownToken | None:
        """Find the token with a hash, valid or not, and note its use."""
        row = self._singles.one(_FIND, {"hash": token_hash})
        if row is None:
            return None
        if row["last_used_at"] is None or row["last_used_at"] < row["now"] - _USE_PRECISION:
            self._singles.count(_NOTE_USE, {"hash": token_hash})
        return KnownToken(_token(row), row["is_expired"])

    def get(self, environment_id: EnvironmentId, token_id: str) -> ApiToken | None:
        """Read one token that is not revoked."""
        row = catalog.find_row(self._engine, _TABLE, environment_id, token_id)
        return _token(row) if row and row["revoked_at"] is None else None

    def page(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[ApiToken]:
        """Read a page of the tokens that are not revoked."""
        only = _TABLE.c.revoked_at.is_(None)
        return catalog.list_rows(self._engine, _TABLE, environment_id, _token, filters, only=only)

    def all(self, environment_id: EnvironmentId) -> list[ApiToken]:
        """List an environment's tokens, also revoked ones, newest first."""
        statement = catalog.select_in(_TABLE, environment_id).order_by(_TABLE.c.created_at.desc())
        with reading(self._engine) as connection:
            return [_token(row) for row in connection.execute(statement).mappings()]

    def revoke(self, environment_id: EnvironmentId, token_id: str) -> bool:
        """Make a token invalid; tell whether it was there and valid."""
        statement = (
            update(_TABLE)
            .where(_TABLE.c.id == token_id, _TABLE.c.environment_id == environment_id, _TABLE.c.revoked_at.is_(None))
            .values(revoked_at=func.now(), updated_at=func.now())
        )
        with self._engine.begin() as connection:
            return connection.execute(statement).rowcount == 1


def _token(row: Row) -> ApiToken:
    return ApiToken(
        id=str(row["id"]),
        environment_id=EnvironmentId(str(row["environment_id"])),
        name=row["name"],
        role=Role(row["role"]),
        created_by=str(row["created_by"]) if row["created_by"] else None,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )
