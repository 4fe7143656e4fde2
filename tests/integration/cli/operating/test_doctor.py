"""``ferryman doctor`` and ``ferryman run why`` against a real database and broker."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from sqlalchemy import text

from app.cli.main import main
from app.store.db.database import connect
from app.store.db.migrate import upgrade
from app.store.secrets.bound_values import Place
from app.store.secrets.encryption import Cipher
from app.store.secrets.encryption_keys import KeyStore
from tests.support.process_nodes import RedisContainer
from tests.support.servers import PostgresServer


@pytest.fixture(scope="module")
def broker_url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="ferryman-doctor-") as name:
        container = RedisContainer(Path(name) / "redis")
        container.start()
        container.ready()
        yield container.celeryconfig["url"]
        container.teardown()


@pytest.fixture(scope="module")
def environ(postgres_server: PostgresServer, broker_url: str) -> Iterator[dict[str, str]]:
    with postgres_server.fresh_database() as url:
        yield {
            "DATABASE_URL": url,
            "BROKER_URL": broker_url,
            "FERRYMAN_ENCRYPTION_KEY": Fernet.generate_key().decode(),
            "FERRYMAN_MESSAGE_KEY": "k" * 32,
        }


def doctor(environ: dict[str, str], *arguments: str) -> Result:
    return CliRunner(env=environ).invoke(main, ["doctor", *arguments])


def found(result: Result) -> dict[str, str]:
    return {finding["check"]: finding["severity"] for finding in json.loads(result.stdout)["findings"]}


def test_a_migrated_database_and_a_broker_are_well(environ: dict[str, str]) -> None:
    upgrade(environ["DATABASE_URL"])

    result = doctor(environ, "--json")

    assert result.exit_code == 0, result.output
    assert set(found(result).values()) == {"ok"}
    assert environ["FERRYMAN_ENCRYPTION_KEY"] not in result.output


def test_a_run_without_a_daemon_is_an_error_that_says_what_to_do(environ: dict[str, str]) -> None:
    engine = connect(environ["DATABASE_URL"], pool_size=1)
    with engine.begin() as connection:
        connection.execute(
            text("""
                with environment as (
                    insert into environment (id, name) values (gen_random_uuid(), 'eu') returning id)
                insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args,
                                          args_hash, resources, sync_job, queue, daemon_group_key)
                select gen_random_uuid(), id, gen_random_uuid(), gen_random_uuid(), 'created', '{}', '', '[]', '{}',
                       'daemon-group.eu', 'eu' from environment
            """)
        )
    engine.dispose()

    result = doctor(environ)

    assert result.exit_code == 2
    assert "ferryman daemon --group eu" in result.output


def test_an_empty_database_asks_for_its_migration(environ: dict[str, str], postgres_server: PostgresServer) -> None:
    with postgres_server.fresh_database(template="template1", is_direct=True) as url:
        result = doctor({**environ, "DATABASE_URL": url})

    assert result.exit_code == 2
    assert "ferryman migrate" in result.output


def test_what_is_away_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    nobody = f"redis+socket://{tmp_path}/nobody.sock"

    assert "the broker can not be reached" in doctor({**environ, "BROKER_URL": nobody}).output

    result = doctor({**environ, "DATABASE_URL": f"postgresql:///x?host={tmp_path}"})

    assert result.exit_code == 2
    assert "Postgres can not be reached" in result.output


def test_another_key_is_named(environ: dict[str, str]) -> None:
    engine = connect(environ["DATABASE_URL"], pool_size=1)
    Cipher(environ["FERRYMAN_ENCRYPTION_KEY"], KeyStore(engine)).seal("secret", Place("a place"))
    engine.dispose()

    result = doctor({**environ, "FERRYMAN_ENCRYPTION_KEY": Fernet.generate_key().decode()}, "--json")

    assert (found(result)["keys"], result.exit_code) == ("error", 2)
