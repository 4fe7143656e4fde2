"""What Postgres shows of the fleet: who is silent, and what runs wait for."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from app.engine.status import DaemonStatus
from app.services.diagnosis.fleet import FleetFacts
from app.services.maintenance.ports import Heartbeat
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect
from app.store.maintenance.daemons import DaemonStore
from app.store.maintenance.fleet import FleetReader

JOB = "00000000-0000-0000-0000-000000000001"
_RUN = text("""
    insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args, args_hash,
                              resources, sync_job, queue, daemon_group_key, mutex_key, created_at, retry_after)
    values (gen_random_uuid(), :environment, :job, gen_random_uuid(), :status, '{}', '', '[]', '{}', 'q', 'eu', :mutex,
            now() - make_interval(secs => :age), now() + make_interval(secs => :retry)) returning id::text
""")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url, pool_size=2)
    yield made
    made.dispose()


def read(engine: Engine) -> FleetFacts:
    return FleetReader(engine, DaemonStore(engine), silence_seconds=40).read()


def insert_run(engine: Engine, status: str, *, age: float, mutex: str | None = None, retry: float = 0.0) -> str:
    environment = TokenStore(engine).ensure_environment("facts")
    with engine.begin() as connection:
        values = {"environment": environment, "job": JOB, "status": status, "mutex": mutex, "age": age, "retry": retry}
        return str(connection.execute(_RUN, values).scalar_one())


def age_daemon(engine: Engine, daemon_id: str, seconds: float) -> None:
    with engine.begin() as connection:
        statement = text("update daemon set last_active_at = now() - make_interval(secs => :by) where id = :id")
        connection.execute(statement, {"by": seconds, "id": daemon_id})


def test_run_that_waits_for_a_mutex_waits_for_no_daemon(engine: Engine) -> None:
    holder = insert_run(engine, "running", age=9000, mutex="m")
    first = insert_run(engine, "created", age=7200, mutex="m")
    insert_run(engine, "created", age=3600, mutex="m")
    insert_run(engine, "created", age=60, mutex="other")

    facts = read(engine)

    assert facts.mutex_wait is not None
    assert (facts.mutex_wait.run_id, facts.mutex_wait.waiting_on) == (first, holder)
    assert facts.mutex_wait.seconds == pytest.approx(7200, abs=60)
    assert list(facts.oldest_created_seconds.values()) == [pytest.approx(60, abs=30)]


def test_longest_limit_is_told(engine: Engine) -> None:
    assert (read(engine).longest_limit_seconds, read(engine).mutex_wait) == (0.0, None)

    insert_run(engine, "rate_limited", age=60, retry=-30)
    assert read(engine).longest_limit_seconds == 0.0

    insert_run(engine, "rate_limited", age=60, retry=3600)
    assert read(engine).longest_limit_seconds == pytest.approx(3600, abs=60)


def test_daemon_is_silent_until_it_signs_off_or_is_replaced(engine: Engine) -> None:
    store = DaemonStore(engine)

    def silent() -> list[str]:
        return [daemon.label for daemon in read(engine).silent_daemons]

    for id in ("live", "killed", "frozen", "stopped", "old"):
        store.register(id, group_key="eu", label=f"{id}-1", metadata={})
    store.set_status("stopped", DaemonStatus.STOPPED)
    age_daemon(engine, "killed", 300)
    age_daemon(engine, "old", 90_000)
    store.record_heartbeats([Heartbeat(daemon_id="live", silent_seconds=0.0)], silence_seconds=40)
    # Its leader is frozen too: nobody has marked it.
    age_daemon(engine, "frozen", 200)

    assert silent() == ["frozen-1", "killed-1"]

    store.register("successor", group_key="eu", label="killed-1", metadata={})
    store.record_heartbeats([Heartbeat(daemon_id="frozen", silent_seconds=0.0)], silence_seconds=None)

    assert silent() == []
