"""TLS, full disks and wrong credentials: each is named, no record is harmed, and what waited lands after.

The embedded Postgres is built without TLS: a proxy before it speaks it, and libpq verifies the proxy's certificate.
"""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from app.destinations.duckdb.files import explain_faults as explain_duckdb
from app.destinations.files import local_objects
from app.destinations.postgres.connection import connect, read_place
from app.destinations.postgres.faults import explain_faults
from app.engine.errors import DestinationError
from app.engine.ids import new_id
from app.net.addresses import AllowedNetworks
from tests.support.lake import stored
from tests.support.landing import Landing
from tests.support.object_servers import running_rclone
from tests.support.target import TargetDatabase
from tests.support.tls_tunnel import Authority, running_postgres_tls

_FULL = """
    create function full_disk() returns trigger language plpgsql as $$
    begin raise exception 'could not extend file "base/1/2": No space left on device' using errcode = '53100'; end $$
"""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.new(tmp_path, host="localhost")


def _verified(target: TargetDatabase, authority: Authority, port: int, **changes: Any) -> dict[str, Any]:
    own = {"host": "localhost", "sslmode": "verify-full", "root_certificate": authority.certificate.read_text()}
    return {**target.config, **own, "port": port, **changes}


def _test(landing: Landing, config: dict[str, Any], kind: str = "postgres") -> dict[str, Any]:
    return landing.api.landing.datastores.test(landing.environment, landing.datastore(config, kind))


def test_records_land_by_verified_tls(landing: Landing, target: TargetDatabase, authority: Authority) -> None:
    landing.write(landing.account(), {"1": {"n": 1}})
    with running_postgres_tls(authority, target.server.port) as port:
        landing.destination(_verified(target, authority, port))
        landing.land()
        facts = _test(landing, _verified(target, authority, port))

    assert facts["tls"] is True
    assert target.rows("select remote_id, n from acme.tickets") == [("1", 1)]


def test_the_environment_does_not_say_how_to_authenticate(
    target: TargetDatabase, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGREQUIREAUTH", "gss")

    with running_postgres_tls(authority, target.server.port) as port:
        place = read_place(_verified(target, authority, port))
        with connect(place, AllowedNetworks.parse("127.0.0.0/8,::1/128")) as connection:
            assert connection.pgconn.ssl_in_use


def test_a_certificate_of_another_authority_or_name_is_refused_before_the_password(
    landing: Landing, target: TargetDatabase, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority.new(tmp_path / "other", host="localhost")
    landing.write(landing.account(), {"1": {"n": 1}})
    with running_postgres_tls(authority, target.server.port) as port:
        destination = landing.destination(_verified(target, other, port, password="never-sent"))
        landing.land(may_fail=True)
        with pytest.raises(DestinationError) as refused:
            _test(landing, _verified(target, authority, port, host="127.0.0.1"))

    (cursor,) = landing.cursors(destination)
    assert (cursor.error_code, cursor.cursor) == ("no_tls", 0)
    assert "certificate verify failed" in cursor.last_error
    assert "never-sent" not in cursor.last_error
    assert (refused.value.code, refused.value.is_final) == ("no_tls", True)
    assert "does not match host name" in refused.value.message


def test_a_server_without_tls_is_refused_where_it_is_asked_for(
    landing: Landing, target: TargetDatabase, authority: Authority
) -> None:
    with pytest.raises(DestinationError) as refused:
        _test(landing, _verified(target, authority, target.server.port))

    assert (refused.value.code, refused.value.is_final) == ("no_tls", True)


def test_a_full_disk_of_the_target_is_named_and_what_waited_lands_after(
    landing: Landing, target: TargetDatabase
) -> None:
    destination, account = landing.destination(target.config), landing.account()
    landing.write(account, {"1": {"n": 1}})
    landing.land()
    target.execute(_FULL)
    target.execute(
        "create trigger full_disk after insert on acme.tickets for each statement execute function full_disk()"
    )
    landing.write(account, {"2": {"n": 2}})

    landing.land(may_fail=True)

    (cursor,) = landing.cursors(destination)
    assert (cursor.error_code, cursor.cursor, cursor.attempts) == ("disk_full", 1, 1)
    assert "No space left on device" in cursor.last_error
    target.execute("drop trigger full_disk on acme.tickets")
    landing.pass_time()
    landing.land()
    assert target.rows("select remote_id, n from acme.tickets order by 1") == [("1", 1), ("2", 2)]
    assert landing.verify(destination).is_equal


@contextmanager
def _full_from(limit_bytes: int) -> Iterator[None]:
    """Have no file of this process grow beyond a size until the block ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_no_torn_file_and_no_lost_record(database_url: str, tmp_path: Path) -> None:
    landing = Landing(database_url, {"destination_directory": str(tmp_path)})
    try:
        body = {"datastore_id": landing.datastore({"path": "lake"}, "filesystem"), "options": {"format": "jsonl"}}
        destination = landing.api.landing.destinations.create(landing.environment, body).destination.id
        landing.write(landing.account(), {str(n): {"text": "x" * 1000} for n in range(200)})
        with _full_from(50_000):
            landing.land(may_fail=True)
        (cursor,) = landing.cursors(destination)
        data = [path for path in tmp_path.rglob("*.jsonl*") if path.stat().st_size]

        landing.pass_time()
        landing.land()

        assert (cursor.error_code, cursor.cursor, data) == ("disk_full", 0, [])
        lines = sum(len(path.read_text().splitlines()) for path in tmp_path.rglob("*.jsonl"))
        assert lines == len(stored(landing)) == 200
    finally:
        landing.close()


def test_a_full_disk_leaves_a_duckdb_file_as_it_was_and_what_waited_lands_after(
    database_url: str, tmp_path: Path
) -> None:
    landing = Landing(database_url, {"destination_directory": str(tmp_path)})
    try:
        body = {"datastore_id": landing.datastore({"path": "lake"}, "duckdb"), "daemon_group_key": "default"}
        destination = landing.api.landing.destinations.create(landing.environment, body).destination.id
        account = landing.account()
        landing.write(account, {"first": {"text": "x"}})
        landing.land()
        landing.write(account, {str(n): {"text": new_id() * 300} for n in range(200)})
        with _full_from((tmp_path / "lake.duckdb").stat().st_size + 50_000):
            landing.land(may_fail=True)
            (cursor,) = landing.cursors(destination)

        landing.pass_time()
        landing.land()

        assert (cursor.error_code, cursor.cursor) == ("disk_full", 1)
        assert landing.verify(destination).is_equal
        (after,) = landing.cursors(destination)
        assert (after.read, after.written, after.last_error) == (201, 201, None)
    finally:
        landing.close()


@pytest.mark.parametrize(
    ("said", "code", "is_final"),
    [
        ('Cannot open file "lake.duckdb": Read-only file system', "read_only", False),
        ('Cannot open file "lake.duckdb": Permission denied', "missing_rights", True),
        ("Could not read from file", "broken_file", False),
    ],
)
def test_what_duckdb_says_of_a_disk_is_understood(said: str, code: str, is_final: bool) -> None:
    with pytest.raises(DestinationError) as refused, explain_duckdb():
        raise duckdb.IOException(f"IO Error: {said}")

    assert (refused.value.code, refused.value.is_final) == (code, is_final)


def test_a_folder_that_becomes_read_only_is_named_and_what_waited_lands_after(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing = Landing(database_url, {"destination_directory": str(tmp_path)})
    try:
        body = {"datastore_id": landing.datastore({"path": "lake"}, "filesystem"), "options": {"format": "jsonl"}}
        destination = landing.api.landing.destinations.create(landing.environment, body).destination.id
        account = landing.account()
        landing.write(account, {"1": {"n": 1}})
        landing.land()
        landing.write(account, {"2": {"n": 2}})
        with monkeypatch.context() as patched:
            patched.setattr(local_objects, "_write", _refuse_as_read_only)
            landing.land(may_fail=True)
            (cursor,) = landing.cursors(destination)

        landing.pass_time()
        landing.land()

        assert (cursor.error_code, cursor.cursor) == ("read_only", 1)
        lines = [line for path in tmp_path.rglob("*.jsonl") for line in path.read_text().splitlines()]
        assert len(lines) == len(stored(landing)) == 2
        assert list(tmp_path.rglob("*.part")) == []
    finally:
        landing.close()


def _refuse_as_read_only(path: Path, _: bytes) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


def test_a_store_that_refuses_the_key_is_named_and_what_waited_lands_after(database_url: str, tmp_path: Path) -> None:
    with running_rclone() as config:
        landing = Landing(database_url)
        try:
            wrong = {**config, "secret_access_key": "not-the-key", "prefix": new_id()}
            datastore = landing.datastore(wrong, "s3")
            body = {"datastore_id": datastore}
            destination = landing.api.landing.destinations.create(landing.environment, body).destination.id
            with pytest.raises(DestinationError) as refused:
                landing.api.landing.datastores.test(landing.environment, datastore)
            landing.write(landing.account(), {"1": {"n": 1}})
            landing.land(may_fail=True)
            (cursor,) = landing.cursors(destination)
            right = {"config": {"secret_access_key": config["secret_access_key"]}}
            landing.api.landing.datastores.update(landing.environment, datastore, right)
            landing.land()
            (after,) = landing.cursors(destination)
        finally:
            landing.close()

    assert (refused.value.code, cursor.error_code, cursor.cursor) == ("wrong_credentials",) * 2 + (0,)
    assert "not-the-key" not in refused.value.message + cursor.last_error
    assert (after.cursor, after.last_error) == (1, None)


@pytest.mark.parametrize(
    ("said", "code", "is_final"),
    [
        ("the database system is starting up", "target_busy", False),
        ("the database system is not yet accepting connections", "target_busy", False),
        ("the database system is in recovery mode", "target_busy", False),
        ("the database system is shutting down", "target_busy", False),
        ('database "warehouse" does not exist', "no_database", True),
        ('role "loader" does not exist', "wrong_credentials", True),
        ('password authentication failed for user "loader"', "wrong_credentials", True),
        ("sorry, too many clients already", "target_busy", False),
        ("server closed the connection unexpectedly", "target_away", False),
    ],
)
def test_what_a_server_says_before_there_is_a_session_is_understood(said: str, code: str, is_final: bool) -> None:
    with pytest.raises(DestinationError) as refused, explain_faults("secret"):
        raise psycopg.OperationalError(f'connection to server at "127.0.0.1", port 5 failed: FATAL:  {said}')

    assert (refused.value.code, refused.value.is_final) == (code, is_final)
