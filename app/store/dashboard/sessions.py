"""Sessions of the dashboard and the codes of sign-in links in Postgres; only their hashes are kept."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Engine, TextClause, text

from app.engine.ids import new_id
from app.engine.objects.environments import ApiToken, EnvironmentId, Role
from app.engine.objects.sessions import Session
from app.services.runs.conflicts import retry_conflicts
from app.store.db.audit_notes import note_of_session
from app.store.db.autocommit import autocommit_of
from app.store.db.database import Row, reading
from app.store.db.owned_rows import build_object

_PRUNE: Final = text("delete from dashboard_session where expires_at < now()")

# By the clock that all processes share; no session outlives its token.
_CREATE: Final = text("""
    insert into dashboard_session (id, environment_id, token_id, name, role, secret_hash, expires_at)
    select :id, :environment_id, :token_id, :name, :role, :secret_hash,
           least(now() + make_interval(secs => :seconds),
                 (select expires_at from api_token where id = cast(:token_id as uuid)))
 returning *
""")

_FIND: Final = text("""
    select dashboard_session.*
      from dashboard_session left join api_token on api_token.id = dashboard_session.token_id
     where secret_hash = :hash and dashboard_session.expires_at > now() and api_token.revoked_at is null
""")

_DELETE: Final = text("delete from dashboard_session where id = :id returning *")

_LIST: Final = text("""
    select dashboard_session.*
      from dashboard_session left join api_token on api_token.id = dashboard_session.token_id
     where dashboard_session.environment_id = :environment_id and dashboard_session.expires_at > now()
           and api_token.revoked_at is null
     order by dashboard_session.created_at desc, dashboard_session.id
""")

_END: Final = text("""
    delete from dashboard_session
     where environment_id = :environment_id and (cast(id as text) = :whose or name = :whose)
 returning *
""")

_PRUNE_CODES: Final = text("delete from sign_in_code where expires_at < now()")

_ADD_CODE: Final = text("""
    insert into sign_in_code (code_hash, token_id, expires_at)
    values (:code_hash, :token_id, now() + make_interval(secs => :seconds))
""")

# One statement: of two that use a code at once, one gets it.
_TAKE_CODE: Final = text("""
    with taken as (delete from sign_in_code where code_hash = :hash returning token_id, expires_at)
  select api_token.*
    from taken join api_token on api_token.id = taken.token_id
   where taken.expires_at > now() and api_token.revoked_at is null
         and (api_token.expires_at is null or api_token.expires_at > now())
""")


@retry_conflicts
class SessionStore:
    """The sessions of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._autocommit = autocommit_of(engine)

    def create(self, secret_hash: bytes, values: Mapping[str, Any], *, seconds: float) -> Session:
        """Write a session."""
        row = {**values, "id": new_id(), "secret_hash": secret_hash, "seconds": seconds}
        with self._engine.begin() as connection:
            connection.execute(_PRUNE)
            made = connection.execute(_CREATE, row).mappings().one()
            note_of_session(connection, made, "created")
        return _build_session(made)

    def find(self, secret_hash: bytes) -> Session | None:
        """Find a session that has not ended."""
        row = self._autocommit.one(_FIND, {"hash": secret_hash})
        return _build_session(row) if row else None

    def delete(self, session_id: str) -> None:
        """End a session."""
        self._end(_DELETE, {"id": session_id})

    def list(self, environment_id: EnvironmentId) -> Sequence[Session]:
        """List the sessions of an environment that have not ended, the newest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(_LIST, {"environment_id": environment_id}).mappings().all()
        return [_build_session(row) for row in rows]

    def end(self, environment_id: EnvironmentId, whose: str) -> int:
        """End the session of this id, or all of whoever has this name; return how many."""
        return self._end(_END, {"environment_id": environment_id, "whose": whose})

    def add_code(self, code_hash: bytes, token_id: str, *, seconds: float) -> None:
        """Write a code."""
        with self._engine.begin() as connection:
            connection.execute(_PRUNE_CODES)
            connection.execute(_ADD_CODE, {"code_hash": code_hash, "token_id": token_id, "seconds": seconds})

    def take_code(self, code_hash: bytes) -> ApiToken | None:
        """Use up a code."""
        with self._engine.begin() as connection:
            row = connection.execute(_TAKE_CODE, {"hash": code_hash}).mappings().one_or_none()
        return build_object(ApiToken, row, role=Role(row["role"])) if row else None

    def _end(self, statement: TextClause, values: Mapping[str, Any]) -> int:
        with self._engine.begin() as connection:
            ended = connection.execute(statement, values).mappings().all()
            for session in ended:
                note_of_session(connection, session, "deleted")
        return len(ended)


def _build_session(row: Row) -> Session:
    return build_object(Session, row, role=Role(row["role"]))
