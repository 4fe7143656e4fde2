"""Real daemons beside a receiver that takes connections and never answers: nobody else waits for it."""

import select
import socket
from collections.abc import Iterator, Mapping

import pytest
from sqlalchemy import Engine, text

from app.settings import Settings
from app.store.db.database import connect
from tests.support.patience import WaitFor
from tests.support.process_nodes import DaemonNode
from tests.support.receiver import Receiver
from tests.support.upstream import Upstream, numbered
from tests.support.workspace import Sync, Workspace, listed

HANGING = 40
_MOST = Settings.__dataclass_fields__["deliveries_per_webhook"].default
_UNDER_WAY = text("""
    select count(*) from unit join sync_job_run r on r.id = unit.run_id
     where r.webhook_id = :webhook_id and unit.status = 'leased' and unit.lease_expires_at > now()
""")
# One that was given back begins to count anew; one that was lost does not.
_CLAIMS = text("""
    select max(unit.attempts) from unit join sync_job_run r on r.id = unit.run_id where r.webhook_id = :webhook_id
""")
_ATTEMPTS = text("select coalesce(sum(attempts), 0) from delivery where webhook_id = :webhook_id")


@pytest.fixture
def engine(node_environment: Mapping[str, str]) -> Iterator[Engine]:
    made = connect(node_environment["DATABASE_URL"], pool_size=1)
    yield made
    made.dispose()


class Hanging:
    """Runs whose receiver never answers."""

    def __init__(self, workspace: Workspace, sync: Sync, engine: Engine) -> None:
        self._engine = engine
        self._api = workspace.api
        self.silent = socket.create_server(("127.0.0.1", 0), backlog=2 * HANGING)
        target_url = f"http://127.0.0.1:{self.silent.getsockname()[1]}/"
        self.webhook_id = str(workspace.api.post("/webhook", {"target_url": target_url})["id"])
        self.run_ids = [sync.start(webhook_id=self.webhook_id) for _ in range(HANGING)]
        assert select.select([self.silent], [], [], 60)[0]

    def count(self, what: object) -> int:
        with self._engine.connect() as connection:
            return int(connection.execute(what, {"webhook_id": self.webhook_id}).scalar_one())  # type: ignore[call-overload]

    def stop(self) -> None:
        for run_id in self.run_ids:
            self._api.patch(f"/sync-job-run/{run_id}", {"status": "stopped"})
        self.silent.close()


@pytest.fixture
def users(node_workspace: Workspace, upstream: Upstream) -> Sync:
    upstream.lists("/users", numbered("user", 3))
    return node_workspace.sync(upstream.url, [listed("users")])


@pytest.fixture
def hanging(node_workspace: Workspace, users: Sync, engine: Engine) -> Iterator[Hanging]:
    made = Hanging(node_workspace, users, engine)
    yield made
    made.stop()


def test_strangers_run_and_delivery_end_while_every_hanging_one_is_in_its_first_attempt(
    node_workspace: Workspace, users: Sync, hanging: Hanging, receiver: Receiver, wait_for: WaitFor
) -> None:
    wait_for(lambda: hanging.count(_UNDER_WAY) == _MOST, 60, what="as many deliveries under way as may be")

    kept = users.run()
    sent = users.run(webhook_id=node_workspace.webhook(receiver))

    # None of them has timed out meanwhile, so that nobody has waited for that.
    assert hanging.count(_ATTEMPTS) == 0
    assert (kept["status"], sent["status"]) == ("completed", "completed")
    assert len(receiver.records("users")) == 3
    assert hanging.count(_UNDER_WAY) == _MOST


def test_daemon_that_is_told_to_go_gives_deliveries_under_way_back(
    hanging: Hanging, daemons: list[DaemonNode], wait_for: WaitFor
) -> None:
    wait_for(lambda: hanging.count(_UNDER_WAY) == _MOST, 60, what="as many deliveries under way as may be")

    daemons[0].container.kill("SIGTERM")
    daemons[0].container.wait_for_end()

    wait_for(lambda: hanging.count(_UNDER_WAY) == _MOST, 60, what="the other daemon to have all of them")
    assert (hanging.count(_ATTEMPTS), hanging.count(_CLAIMS)) == (0, 1)
