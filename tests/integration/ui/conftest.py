"""The dashboard over a real Postgres, without a broker."""

from collections.abc import Callable, Iterator

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import Engine

from app.api.application import create_app
from app.api.resources.services import ApiServices
from app.bootstrap.api import build_api_services
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId, Role
from app.net.addresses import LOOPBACK
from app.settings import Settings
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect
from app.ui.mounting import mount
from tests.integration.api.calling import Caller
from tests.integration.ui.visiting import Visitor
from tests.support.servers import PostgresServer


@pytest.fixture(scope="session")
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A migrated database that the dashboard's tests share, each in an environment of its own."""
    with postgres_server.fresh_database() as url:
        yield url


@pytest.fixture(scope="session")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    nobody = tmp_path_factory.mktemp("broker") / "nobody.sock"
    return Settings(
        database_url=database_url,
        broker_url=f"redis+socket://{nobody}",
        encryption_key=Fernet.generate_key().decode(),
        allowed_networks=LOOPBACK,
        token_requests=0,
        trusted_proxies="127.0.0.1",
    )


@pytest.fixture(scope="session")
def services(settings: Settings) -> Iterator[ApiServices]:
    services = build_api_services(settings)
    yield services
    services.close()


@pytest.fixture(scope="session")
def app(services: ApiServices, settings: Settings) -> Flask:
    return mount(create_app(services, settings))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url, pool_size=1)
    yield engine
    engine.dispose()


@pytest.fixture
def environment_id(engine: Engine) -> EnvironmentId:
    """An environment of the test's own, so that tests see nothing of each other."""
    return TokenStore(engine).ensure_environment(new_id())


@pytest.fixture
def token(services: ApiServices, environment_id: EnvironmentId) -> str:
    """An admin's token."""
    return services.tokens.create(environment_id, "ada")[1]


@pytest.fixture
def api(app: Flask, token: str) -> Caller:
    """The API, which tests set things up by."""
    return Caller(app.test_client(), token)


@pytest.fixture
def guest(app: Flask) -> Visitor:
    """Somebody who is not signed in."""
    return Visitor(app.test_client())


@pytest.fixture
def visitor_of(app: Flask, services: ApiServices, environment_id: EnvironmentId) -> Callable[[Role], Visitor]:
    """Sign somebody in whose token has a role."""

    def sign_in(role: Role) -> Visitor:
        _, secret = services.tokens.create(environment_id, f"the {role}", role=role)
        visitor = Visitor(app.test_client())
        assert visitor.sign_in(secret).status == 303
        return visitor

    return sign_in


@pytest.fixture
def admin(visitor_of: Callable[[Role], Visitor]) -> Visitor:
    return visitor_of(Role.ADMIN)


@pytest.fixture
def reader(visitor_of: Callable[[Role], Visitor]) -> Visitor:
    return visitor_of(Role.READ)
