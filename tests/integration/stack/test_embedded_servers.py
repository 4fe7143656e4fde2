import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis as redis_client

from app.stack import postgres, redis
from app.stack.data_directory import DataDirectory
from app.stack.errors import StackError
from app.stack.joining import find_socket_root
from app.stack.supervisor import Supervisor

Eventually = Callable[[Callable[[], object]], None]


def start_postgres(supervisor: Supervisor, data: DataDirectory) -> str:
    place = find_socket_root(data)
    supervisor.spawn(postgres.build_child(data.postgres, place))
    supervisor.wait_until_ready()
    postgres.create_database(place)
    return postgres.build_url(place)


def new_supervisor(data: DataDirectory) -> Supervisor:
    return Supervisor(run_dir=data.run, log_dir=data.logs, report=print)


def test_postgres_keeps_its_data_over_a_restart(supervisor: Supervisor, data: DataDirectory) -> None:
    with psycopg.connect(start_postgres(supervisor, data), autocommit=True) as connection:
        connection.execute("create table kept as select 7 as number")
    supervisor.stop()
    again = new_supervisor(data)

    try:
        with psycopg.connect(start_postgres(again, data)) as connection:
            kept = connection.execute("select number from kept").fetchone()
    finally:
        again.stop()

    assert kept == (7,)


def test_postgres_is_durable_and_opens_no_port(supervisor: Supervisor, data: DataDirectory) -> None:
    query = (
        "select current_setting('fsync'), current_setting('synchronous_commit'), current_setting('listen_addresses')"
    )

    with psycopg.connect(start_postgres(supervisor, data)) as connection:
        assert connection.execute(query).fetchone() == ("on", "on", "")


def test_postgres_serves_again_after_it_is_killed(
    supervisor: Supervisor, data: DataDirectory, eventually: Eventually
) -> None:
    start_postgres(supervisor, data)
    server = supervisor.children["postgres"]
    first = server.pid

    server.kill()

    eventually(lambda: server.pid not in {None, first} and server.is_ready())


def test_copy_of_a_running_postgres_starts_beside_the_original(
    supervisor: Supervisor, data: DataDirectory, tmp_path: Path
) -> None:
    with psycopg.connect(start_postgres(supervisor, data), autocommit=True) as connection:
        connection.execute("checkpoint")
    # Its locks name a process that is alive, and of the same user.
    subprocess.run(["cp", "-a", str(data.root), str(tmp_path / "copy")], check=True)
    copied = DataDirectory(tmp_path / "copy")
    beside = new_supervisor(copied)

    try:
        with psycopg.connect(start_postgres(beside, copied)) as connection:
            assert connection.execute("show data_directory").fetchone() == (str(copied.postgres),)
        assert supervisor.children["postgres"].is_ready()
    finally:
        beside.stop()


def test_postgres_refuses_a_cluster_that_another_server_works_on(supervisor: Supervisor, data: DataDirectory) -> None:
    start_postgres(supervisor, data)
    other = new_supervisor(data)

    with pytest.raises(
        StackError, match=r"another PostgreSQL server \(process \d+\) runs on .*/postgres; stop it first"
    ):
        start_postgres(other, data)
    other.stop()


def test_postgres_is_made_again_after_an_interrupted_initdb(supervisor: Supervisor, data: DataDirectory) -> None:
    half_made = data.root / "postgres.new"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18")

    start_postgres(supervisor, data)

    assert not half_made.exists()


@pytest.mark.parametrize("name", ["n" * 120, "a space & a %20"], ids=["too long", "not plain"])
def test_servers_start_on_a_path_that_no_socket_url_can_hold(open_dir: Path, name: str) -> None:
    data = DataDirectory(open_dir / name)
    data.create()
    running = new_supervisor(data)
    place = find_socket_root(data)

    try:
        start_postgres(running, data)
        running.spawn(redis.build_child(data.redis, place))
        running.wait_until_ready()
    finally:
        running.stop()

    assert str(place).startswith(f"/tmp/ferryman-{os.getuid()}-")
    assert place.stat().st_mode & 0o077 & ~0o001 == 0


def test_redis_keeps_its_data_when_it_is_killed(
    supervisor: Supervisor, data: DataDirectory, eventually: Eventually
) -> None:
    place = find_socket_root(data)
    supervisor.spawn(redis.build_child(data.redis, place))
    supervisor.wait_until_ready()
    server = supervisor.children["redis"]
    first = server.pid
    with redis_client.Redis(unix_socket_path=str(place / "redis.sock")) as client:
        client.config_set("appendfsync", "always")
        client.set("kept", "7")

        server.kill()

        eventually(lambda: server.pid not in {None, first} and server.is_ready())
        assert client.get("kept") == b"7"
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


@pytest.mark.parametrize("writer", [None, "Redis 8.2"], ids=["a version before the mark", "another server"])
def test_broker_begins_empty_on_what_another_program_wrote(
    supervisor: Supervisor, data: DataDirectory, writer: str | None
) -> None:
    """Its messages are sent again; a server that may not read them would never start."""
    if writer:
        (data.redis / "written-by").write_text(writer)
    (data.redis / "appendonly.aof").write_text("of version 6")
    (data.redis / "appendonlydir").mkdir()
    (data.redis / "appendonlydir" / "appendonly.aof.manifest").write_text("of version 8")

    supervisor.spawn(redis.build_child(data.redis, find_socket_root(data)))
    supervisor.wait_until_ready()

    assert (data.redis / "written-by").read_text() != writer
    assert not (data.redis / "appendonly.aof").exists()


def test_log_of_the_broker_stays_small_while_queues_fill_and_empty(supervisor: Supervisor, data: DataDirectory) -> None:
    place = find_socket_root(data)
    supervisor.spawn(redis.build_child(data.redis, place))
    supervisor.wait_until_ready()

    with redis_client.Redis(unix_socket_path=str(place / "redis.sock")) as client:
        found = client.config_get("auto-aof-rewrite-*")

    assert found == {"auto-aof-rewrite-percentage": "100", "auto-aof-rewrite-min-size": str(16 * 1024 * 1024)}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to hand Postgres to another user")
def test_postgres_runs_as_another_user_below_a_closed_directory_when_root(
    supervisor: Supervisor, data: DataDirectory, open_dir: Path
) -> None:
    open_dir.chmod(0o700)

    start_postgres(supervisor, data)

    pid = supervisor.children["postgres"].pid
    owner = subprocess.run(["stat", "-c", "%u", f"/proc/{pid}"], capture_output=True, text=True, check=True).stdout
    assert int(owner) != 0
    assert open_dir.stat().st_mode & 0o777 == 0o701
