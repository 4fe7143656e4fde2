"""Build what an operator's commands need of a database, and nothing else: an API would take seconds to load."""

import getpass
from dataclasses import dataclass

from sqlalchemy import Engine

from app.actors import Actor, ActorKind
from app.services.catalog.environments import EnvironmentService
from app.services.catalog.tokens import TokenService
from app.services.dashboard.sessions import SessionService
from app.settings import Settings
from app.store.catalog.environments import EnvironmentStore
from app.store.catalog.tokens import TokenStore
from app.store.dashboard.sessions import SessionStore
from app.store.db.database import connect, connect_unpooled
from app.store.schemas.queries import ReaderQueries
from app.store.schemas.readers import EnvironmentReaders


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorAccess:
    """Who may call the API, and where to."""

    tokens: TokenService
    environments: EnvironmentService
    sessions: SessionService


def build_operator_access(settings: Settings) -> OperatorAccess:
    """Build what makes tokens and environments."""
    engine = connect_operator(settings)
    return OperatorAccess(
        tokens=TokenService(TokenStore(engine)),
        environments=EnvironmentService(EnvironmentStore(engine)),
        sessions=SessionService(SessionStore(engine), session_seconds=settings.dashboard_session_seconds),
    )


def build_reader_queries(settings: Settings) -> ReaderQueries:
    """Build what asks for records by SQL."""
    engine = connect_operator(settings)
    return ReaderQueries(engine, EnvironmentReaders(engine))


def connect_operator(settings: Settings) -> Engine:
    """Connect for one command, which leaves no connection open."""
    engine = connect(
        settings.database_url,
        pool_size=1,
        is_pooled=bool(settings.session_database_url),
        prepares=bool(settings.prepare_statements),
        actor=Actor(kind=ActorKind.OPERATOR, name=_find_user()),
    )
    return connect_unpooled(engine)


def _find_user() -> str | None:
    """Return the name of the user who runs this process; a container may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None
