"""``ferryman export``: a file is there whole, or not at all."""

import json
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyarrow import parquet
from sqlalchemy import Engine, text

from app.engine.ids import new_id
from app.store.db.database import connect
from tests.support.served_api import ServedApi, served_api
from tests.support.servers import PostgresServer

_INSERT = text("""
    insert into record (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id, sequence)
    select :account_id, 'tickets', n::text, jsonb_build_object('id', n, 'title', repeat('x', 200)), '', :run_id, n
      from generate_series(1, :count) n
""")
_LOG = text("insert into account_log (integrated_account_id, last_sequence) values (:account_id, :count)")
COUNT = 3000


@pytest.fixture(scope="module")
def api(postgres_server: PostgresServer) -> Iterator[ServedApi]:
    with served_api(postgres_server) as served:
        yield served


@pytest.fixture(scope="module")
def engine(api: ServedApi) -> Iterator[Engine]:
    engine = connect(api.database_url, pool_size=1)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def account_id(api: ServedApi, engine: Engine) -> str:
    """The id of an account with many tickets."""
    api.shown("integration", "create", "acme", "--config", '{"base_url": "https://api.example.com"}')
    account_id = str(api.shown("account", "create", "acme", "t1", "--context", "{}")["id"])
    with engine.begin() as connection:
        connection.execute(_INSERT, {"account_id": account_id, "run_id": new_id(), "count": COUNT})
        connection.execute(_LOG, {"account_id": account_id, "count": COUNT})
    return account_id


def test_writes_a_file_and_says_where_the_next_one_begins(api: ServedApi, account_id: str, tmp_path: Path) -> None:
    file = tmp_path / "tickets.parquet"

    result = api.ferryman("export", "--resource", "tickets", "--account", account_id, "--output", str(file))

    assert result.exit_code == 0, result.output
    assert sorted(parquet.read_table(file)["id"].to_pylist()) == [*range(1, COUNT + 1)]
    assert (result.stdout, result.stderr) == ("", f"next: --since-seq {COUNT}\n")
    assert [one.name for one in tmp_path.iterdir()] == ["tickets.parquet"]


def test_writes_to_standard_output_what_came_since(api: ServedApi, account_id: str) -> None:
    options = ("--account", account_id, "--since-seq", str(COUNT - 2), "--format", "jsonl")

    result = api.ferryman("export", "--resource", "tickets", *options)

    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == [COUNT - 1, COUNT]


def test_an_error_leaves_no_file(api: ServedApi, tmp_path: Path) -> None:
    result = api.ferryman("export", "--resource", "tickets", "--account", new_id(), "--output", str(tmp_path / "file"))

    assert result.exit_code == 1
    assert "does not exist" in result.stderr
    assert [*tmp_path.iterdir()] == []


def test_an_answer_that_breaks_off_leaves_the_file_that_was_there(api: ServedApi, tmp_path: Path) -> None:
    file = tmp_path / "tickets.csv"
    file.write_text("of yesterday")
    with breaking_off() as url:
        result = api.ferryman("export", "--resource", "tickets", "--format", "csv", "--output", str(file), "--url", url)

    assert (result.exit_code, "broke off" in result.stderr) == (1, True)
    assert file.read_text() == "of yesterday"
    assert [one.name for one in tmp_path.iterdir()] == ["tickets.csv"]


@contextmanager
def breaking_off() -> Iterator[str]:
    """Serve one answer that ends before its last piece."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nid\r\n1\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_a_directory_that_is_not_there_is_named(api: ServedApi, account_id: str, tmp_path: Path) -> None:
    file = tmp_path / "none" / "file.csv"

    result = api.ferryman("export", "--resource", "tickets", "--format", "csv", "--output", str(file))

    assert (result.exit_code, str(file) in result.stderr) == (1, True)


def test_a_file_that_can_not_be_written_to_its_end_is_removed(api: ServedApi, account_id: str, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        result = api.ferryman("export", "--resource", "tickets", "--output", str(tmp_path / "file"), "--format", "csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert (result.exit_code, "can not write" in result.stderr) == (1, True)
    assert [*tmp_path.iterdir()] == []
