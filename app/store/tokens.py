"""Environments and their API tokens in Postgres; of a token only the hash is kept."""

from datetime import datetime, timedelta

from sqlalchemy import Engine, func, insert, select, text, update

from app.engine.ids import new_id
from app.engine.objects import ApiToken, EnvironmentId
from app.store import tables
from app.store.database import Row, reading
from app.store.single_statements import singles_of

_TABLE = tables.api_token

_ENSURE = text("insert into environment (id, name) values (:id, :name) on conflict (name) do nothing")

_FIND = text("""
    select *, now() from api_token
     where token_hash = :hash and revoked_at is null and (expires_at is null or expires_at > now())
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

    def create(
        self, environment_id: EnvironmentId, *, name: str, token_hash: bytes, expires_at: datetime | None
    ) -> ApiToken:
        """Write a token down."""
        values = {
            "id": new_id(),
            "environment_id": environment_id,
            "name": name,
            "token_hash": token_hash,
            "expires_at": expires_at,
        }
        with self._engine.begin() as connection:
            return _token(connection.execute(insert(_TABLE).values(**values).returning(_TABLE)).mappings().one())

    def find(self, token_hash: bytes) -> ApiToken | None:
        """Find the valid token with a hash, and note its use."""
        row = self._singles.one(_FIND, {"hash": token_hash})
        if row is None:
            return None
        if row["last_used_at"] is None or row["last_used_at"] < row["now"] - _USE_PRECISION:
            self._singles.count(_NOTE_USE, {"hash": token_hash})
        return _token(row)

    def all(self, environment_id: EnvironmentId) -> list[ApiToken]:
        """List an environment's tokens, newest first."""
        statement = select(_TABLE).where(_TABLE.c.environment_id == environment_id).order_by(_TABLE.c.created_at.desc())
        with reading(self._engine) as connection:
            return [_token(row) for row in connection.execute(statement).mappings()]

    def revoke(self, environment_id: EnvironmentId, token_id: str) -> bool:
        """Make a token invalid; tell whether it was there."""
        statement = (
            update(_TABLE)
            .where(_TABLE.c.id == token_id, _TABLE.c.environment_id == environment_id)
            .values(revoked_at=func.coalesce(_TABLE.c.revoked_at, func.now()))
        )
        with self._engine.begin() as connection:
            return connection.execute(statement).rowcount == 1


def _token(row: Row) -> ApiToken:
    return ApiToken(
        id=str(row["id"]),
        environment_id=EnvironmentId(str(row["environment_id"])),
        name=row["name"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )
