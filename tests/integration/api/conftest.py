"""The API over a real Postgres; there is no broker, so that accepted runs wait in ``created``."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import Engine

from app.api.application import create_app
from app.api.resources.services import ApiServices
from app.bootstrap.api import api_services
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.net.addresses import LOOPBACK
from app.settings import Settings
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect
from tests.integration.api.calling import CONFIG, RESOURCES, Caller, Catalog
from tests.support.servers import PostgresServer
from tests.support.upstream import Upstream


@pytest.fixture(scope="session")
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A migrated database that the API's tests share, each in an environment of its own."""
    with postgres_server.fresh_database() as url:
        yield url


@pytest.fixture(scope="session")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    nobody = tmp_path_factory.mktemp("broker") / "nobody.sock"
    return Settings(
        database_url=database_url,
        broker_url=f"redis+socket://{nobody}",
        encryption_key=Fernet.generate_key().decode(),
        request_limit_bytes=1024 * 1024,
        allowed_networks=LOOPBACK,
    )


@pytest.fixture(scope="session")
def services(settings: Settings) -> Iterator[ApiServices]:
    services = api_services(settings)
    yield services
    services.close()


@pytest.fixture(scope="session")
def app(services: ApiServices, settings: Settings) -> Flask:
    return create_app(services, settings)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url, pool_size=1)
    yield engine
    engine.dispose()


@pytest.fixture
def environment_id(engine: Engine) -> EnvironmentId:
    """An environment of the test's own, so that tests see nothing of each other."""
    return _new_environment(engine)


@pytest.fixture
def api(app: Flask, services: ApiServices, environment_id: EnvironmentId) -> Caller:
    _, secret = services.tokens.create(environment_id, "test")
    return Caller(app.test_client(), secret)


@pytest.fixture
def stranger(app: Flask, services: ApiServices, engine: Engine) -> Caller:
    """The holder of a token of another environment."""
    _, secret = services.tokens.create(_new_environment(engine), "stranger")
    return Caller(app.test_client(), secret)


@pytest.fixture
def catalog(api: Caller) -> Catalog:
    integration = api.post("/integration", {"name": "acme", "config": CONFIG}).body
    account = api.post("/integrated-account", {"integration_name": "acme", "tenant_id": "t1"}).body
    job = api.post("/sync-job", {"integration_name": "acme", "resources": RESOURCES}).body
    return Catalog(integration, account, job)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A third-party API."""
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def receiver() -> Iterator[Callable[[int], str]]:
    """Start a webhook receiver that answers with a status; give its address."""
    servers = []

    def start(status: int) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Stay quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/hook"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _new_environment(engine: Engine) -> EnvironmentId:
    return TokenStore(engine).ensure_environment(new_id())
