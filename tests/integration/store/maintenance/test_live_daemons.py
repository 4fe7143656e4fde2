"""Which daemons count as live: those that go on, whatever their status says."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from app.services.maintenance.ports import Heartbeat
from app.store.db.database import connect
from app.store.maintenance.daemons import DaemonStore


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url, pool_size=1)
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("silent_seconds", "reported_ago", "is_live"),
    [(None, 0, True), (3, 0, True), (None, 90, False), (3, 90, False), (90, 0, False)],
    ids=["new", "consumes", "new-and-silent", "all-hang", "takes-no-message"],
)
def test_daemon_counts_while_it_reports_and_takes_messages(
    engine: Engine, silent_seconds: float | None, reported_ago: int, is_live: bool
) -> None:
    store = DaemonStore(engine)
    store.register("daemon", group_key="default", label="daemon", metadata={})
    store.record_heartbeats([Heartbeat(daemon_id="daemon", silent_seconds=silent_seconds)], silence_seconds=None)
    # No leader goes on either: nobody marks it as stopped.
    with engine.begin() as connection:
        past = text("update daemon set last_active_at = now() - make_interval(secs => :ago)")
        connection.execute(past, {"ago": reported_ago})

    assert store.count_live_by_group(within_seconds=60) == ({"default": 1} if is_live else {})
