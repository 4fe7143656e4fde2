"""A daemon is alive when it takes messages: it proves that to itself and to the leader, and leaves when it can not."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from app.broker.queues import build_daemon_queue
from app.engine.objects.daemons import RAPID_BRIDGE_QUEUE, name_queue
from tests.support.patience import WaitFor
from tests.support.process_nodes import DaemonNode, FerrymanSetup, RedisContainer, fresh_daemon
from tests.support.upstream import Upstream, numbered
from tests.support.workspace import Workspace, listed

DEAF_SECONDS = 3.0
LEAD_MOVES_WITHIN_SECONDS = 5.0
LEADER = """
    select pid from pg_locks
     where locktype = 'advisory' and granted and (classid::bigint << 32 | objid::bigint) = 7208113402
           and database = (select oid from pg_database where datname = current_database())
"""

DUE_TRIGGER = """
    insert into sync_job_cron_trigger (id, environment_id, sync_job_id, integrated_account_id, cron_expression,
                                       timezone, args, enabled, next_run_at)
    select gen_random_uuid(), id, id, id, '0 0 1 1 *', 'UTC', '{}', true, now() from environment limit 1
"""


@pytest.fixture
def attentive(node_environment: Mapping[str, str], tmp_path: Path) -> Iterator[DaemonNode]:
    """A daemon of a group of its own that waits only seconds for its own calls."""
    environment = {**node_environment, "FERRYMAN_DEAF_SECONDS": f"{DEAF_SECONDS:g}"}
    daemon = fresh_daemon(environment, tmp_path, group_key="attentive", application="tests.support.obedient_celery")
    daemon.container.ready()
    yield daemon
    daemon.teardown()


def consumed_after(database_url: str, daemon: DaemonNode, moment: str) -> bool:
    query = "select 1 from daemon where id = %s and status = 'active' and consumed_at > %s"
    with psycopg.connect(database_url) as connection:
        return connection.execute(query, [daemon.daemon_id, moment]).fetchone() is not None


def now(database_url: str) -> str:
    with psycopg.connect(database_url) as connection:
        return connection.execute("select now()").fetchone()[0]


def test_registry_shows_when_each_daemon_took_a_message(
    node_workspace: Workspace, daemons: list[DaemonNode], node_environment: Mapping[str, str], wait_for: WaitFor
) -> None:
    begun = now(node_environment["DATABASE_URL"])

    for daemon in daemons:
        wait_for(lambda daemon=daemon: consumed_after(node_environment["DATABASE_URL"], daemon, begun), what="a report")

    shown = node_workspace.api.get(f"/daemon/{daemons[0].daemon_id}")
    assert shown["consumed_at"] is not None


def test_deaf_daemon_ends_with_a_clear_line_though_it_answers_ping(
    attentive: DaemonNode, celery_setup: FerrymanSetup, node_environment: Mapping[str, str]
) -> None:
    control, who = celery_setup.app.control, [attentive.hostname()]
    assert control.ping(destination=who, timeout=5, limit=1)

    for queue in (name_queue("attentive"), RAPID_BRIDGE_QUEUE, build_daemon_queue(attentive.daemon_id).name):
        control.cancel_consumer(queue, destination=who, reply=True, timeout=5, limit=1)
    assert control.ping(destination=who, timeout=5, limit=1)
    attentive.container.wait_for_end(DEAF_SECONDS + 20)

    assert "takes no messages although the broker does: it ends, to be started anew" in attentive.container.logs()
    query = "select status from daemon where id = %s"
    with psycopg.connect(node_environment["DATABASE_URL"]) as connection:
        assert connection.execute(query, [attentive.daemon_id]).fetchone() == ("stopped",)


def test_daemon_that_lost_its_broker_for_a_while_stays_and_works(
    attentive: DaemonNode,
    celery_setup: FerrymanSetup,
    node_environment: Mapping[str, str],
    node_workspace: Workspace,
    upstream: Upstream,
    wait_for: WaitFor,
) -> None:
    broker: RedisContainer = celery_setup.broker.container
    broker.kill()
    wait_for(lambda: "can not report" in attentive.container.logs(), what="the loss of the broker")
    broker.start()
    broker.ready()
    begun = now(node_environment["DATABASE_URL"])
    upstream.lists("/users", numbered("user", 3))
    sync = node_workspace.sync(upstream.url, [listed("users")])

    run = sync.run(daemon_group_key="attentive")

    assert (run["status"], run["daemon_id"]) == ("completed", attentive.daemon_id)
    wait_for(lambda: consumed_after(node_environment["DATABASE_URL"], attentive, begun), what="a report")
    assert attentive.container.status == "running"


def test_lead_moves_within_five_seconds_of_the_leaders_death(
    daemons: list[DaemonNode], node_environment: Mapping[str, str], wait_for: WaitFor
) -> None:
    url = node_environment["DATABASE_URL"]
    wait_for(lambda: leader_session(url), what="a leader")
    sessions = []

    # One of the two leads: whichever it is, its death is among these.
    for daemon in daemons:
        sessions.append(leader_session(url))
        daemon.kill()
        sessions.append(wait_for(lambda: leader_session(url), LEAD_MOVES_WITHIN_SECONDS, what="a leader"))
        daemon.container.start()
        daemon.container.ready()

    assert len(set(sessions)) > 1


def leader_session(database_url: str) -> int | None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(LEADER).fetchone()
    return int(row[0]) if row else None


def test_health_names_a_duty_that_fails_while_the_others_go_on(
    node_workspace: Workspace, daemons: list[DaemonNode], node_environment: Mapping[str, str], wait_for: WaitFor
) -> None:
    database_url = node_environment["DATABASE_URL"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("alter table sync_job_cron_trigger rename column created_at to made_at")
        connection.execute(DUE_TRIGGER)
        try:
            failing = wait_for(lambda: node_workspace.api.get("/healthz")["duties"].get("triggers"), what="the fault")
            seen = node_workspace.api.get("/healthz")
            begun = now(database_url)
            for daemon in daemons:
                wait_for(lambda daemon=daemon: consumed_after(database_url, daemon, begun), what="the roll call")
        finally:
            connection.execute("alter table sync_job_cron_trigger rename column made_at to created_at")

    assert (failing["error"], failing["failures"] >= 1) == ("TypeError", True)
    assert (seen["status"], seen["postgres"], seen["redis"]) == ("degraded", "ok", "ok")
    assert wait_for(lambda: node_workspace.api.get("/healthz")["status"] == "ok", what="the end of the fault")
