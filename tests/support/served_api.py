"""An API in this process on a real Postgres, with the command line before it."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from werkzeug.serving import make_server

from app.api.application import create_app
from app.api.resources.services import ApiServices
from app.bootstrap.api import build_api_services
from app.cli.main import main
from app.client import ApiClient
from app.engine.objects.environments import EnvironmentId
from app.settings import Settings
from app.ui.mounting import mount
from tests.support.servers import PostgresServer


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedApi:
    """An API, and whoever calls it."""

    url: str
    token: str
    services: ApiServices
    environment: EnvironmentId
    database_url: str
    settings: Settings

    @property
    def operator(self) -> Mapping[str, str]:
        """The environment of its operator."""
        settings = self.settings
        return {
            "DATABASE_URL": settings.database_url,
            "BROKER_URL": settings.broker_url,
            "FERRYMAN_ENCRYPTION_KEY": settings.encryption_key,
        }

    @property
    def client(self) -> ApiClient:
        """A client of it."""
        return ApiClient(self.url, self.token)

    def ferryman(self, *arguments: str) -> Result:
        """Run a command against it."""
        return CliRunner(env={"FERRYMAN_URL": self.url, "FERRYMAN_TOKEN": self.token}).invoke(main, arguments)

    def shown(self, *arguments: str) -> Any:
        """Run a command that succeeds, and read its JSON."""
        result = self.ferryman(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@contextmanager
def served_api(
    postgres_server: PostgresServer, *, broker_url: str = "memory://", **options: Any
) -> Iterator[ServedApi]:
    """Serve an API on a database of its own."""
    with postgres_server.fresh_database() as url:
        settings = Settings(
            database_url=url, broker_url=broker_url, encryption_key=Fernet.generate_key().decode(), **options
        )
        services = build_api_services(settings)
        environment = services.tokens.default_environment()
        _, token = services.tokens.create(environment, "tests")
        server = make_server("127.0.0.1", 0, mount(create_app(services, settings)), threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield ServedApi(
                url=f"http://127.0.0.1:{server.server_port}",
                token=token,
                services=services,
                environment=environment,
                database_url=url,
                settings=settings,
            )
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            services.close()
