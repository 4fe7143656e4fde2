"""An API in this process, with an account, a job and a run that nobody has taken up."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.served_api import ServedApi, served_api
from tests.support.servers import PostgresServer
from tests.support.workspace import Sync, Workspace, listed


@dataclass(frozen=True)
class Watched:
    """The API, and what is there."""

    api: ServedApi
    sync: Sync
    webhook_id: str


@pytest.fixture(scope="module")
def watched(postgres_server: PostgresServer) -> Iterator[Watched]:
    with served_api(postgres_server) as api:
        sync = Workspace(api.client).sync("http://acme.invalid", [listed("users")])
        webhook = api.client.post("/webhook", {"target_url": "https://example.com/hook"})
        yield Watched(api, sync, webhook["id"])


@pytest.fixture
def run_id(watched: Watched) -> Iterator[str]:
    """A run that waits for a daemon."""
    made = watched.sync.start()
    yield made
    watched.api.client.patch(f"/sync-job-run/{made}", {"status": "stopped"})
