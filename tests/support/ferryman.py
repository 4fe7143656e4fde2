"""A running Ferryman for tests: impatient settings, and a new environment for each test."""

from collections.abc import Mapping
from typing import Final

from app.client import ApiClient
from app.engine.ids import new_id
from app.net.addresses import LOOPBACK
from app.services.catalog.tokens import TokenService
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect
from tests.support.workspace import Workspace

IMPATIENT: Final[Mapping[str, str]] = {
    "FERRYMAN_SWEEP_SECONDS": "0.2",
    "FERRYMAN_HEARTBEAT_SECONDS": "1",
    "FERRYMAN_REQUEST_TIMEOUT_SECONDS": "10",
    "FERRYMAN_REQUEST_ATTEMPTS": "2",
    "FERRYMAN_RETRY_BASE_SECONDS": "0.01",
    "FERRYMAN_RING_AFTER_SECONDS": "2",
    "FERRYMAN_LEASE_SECONDS": "3",
    "FERRYMAN_DAEMON_SILENCE_SECONDS": "5",
    "FERRYMAN_STOP_GRACE_SECONDS": "1",
    "FERRYMAN_ALLOWED_NETWORKS": LOOPBACK,
    "FERRYMAN_TOKEN_REQUESTS": "100000",
    "FERRYMAN_ENVIRONMENT_REQUESTS": "100000",
}
"""What in production waits for minutes is over in seconds here."""


def new_workspace(database_url: str, api_url: str) -> Workspace:
    """Make an environment with a token of its own, so that tests see nothing of each other."""
    return Workspace(ApiClient(api_url, new_token(database_url)))


def new_token(database_url: str, *, environment: str | None = None, name: str = "test") -> str:
    """Make a token of a new environment."""
    engine = connect(database_url, pool_size=1)
    try:
        store = TokenStore(engine)
        _, secret = TokenService(store).create(store.ensure_environment(environment or new_id()), name)
    finally:
        engine.dispose()
    return secret
