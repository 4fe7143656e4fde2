"""Nothing serves with an encryption key that is not that of the database; each command says so in one sentence."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet
from sqlalchemy import Engine, text

from app.bootstrap.encryption import check_encryption_key
from app.cli import processes
from app.cli.main import main
from app.engine.errors import UnreadableSecretError
from app.settings import Settings
from app.stack.children import build_environment
from app.stack.errors import StackError
from app.stack.stack import prepare_database
from app.store.db.database import connect, connections_of
from app.store.secrets.encryption import Cipher, TokenSeal
from app.store.secrets.encryption_keys import KeyStore

SENTENCE = "FERRYMAN_ENCRYPTION_KEY does not open the secrets of this database"
OWN, FOREIGN = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database whose secrets are sealed by the first of the keys."""
    engine = connect(database_url, pool_size=1)
    TokenSeal(Cipher(OWN, KeyStore(engine))).seal({}, "next cursor")  # type: ignore[arg-type]
    yield engine
    engine.dispose()


def environment(engine: Engine, key: str) -> Mapping[str, str]:
    url = connections_of(engine).url
    return {"DATABASE_URL": url, "BROKER_URL": "redis://127.0.0.1:1/0", "FERRYMAN_ENCRYPTION_KEY": key}


@pytest.mark.parametrize("command", ["api", "daemon"])
def test_command_with_a_foreign_key_ends_with_one_sentence(
    engine: Engine, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One that served would take the place of this very process.
    monkeypatch.setattr(processes, "_become", lambda *_: pytest.fail("it serves"))
    result = CliRunner(env=environment(engine, FOREIGN)).invoke(main, [command])

    assert result.exit_code == 1
    assert (SENTENCE in result.output, len(result.output.splitlines())) == (True, 1)


def test_stack_with_a_foreign_key_ends_with_one_sentence(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(StackError) as told:
        prepare_database(build_environment(environment(engine, FOREIGN)), tmp_path / "token")

    assert SENTENCE in str(told.value)
    assert len(str(told.value).splitlines()) == 1


def settings(engine: Engine, key: str, *, port: int | None = None) -> Settings:
    url = connections_of(engine).url if port is None else f"postgresql://127.0.0.1:{port}/ferryman"
    return Settings(database_url=url, broker_url="memory://", encryption_key=key)


@pytest.mark.parametrize("keys", [OWN, f"{FOREIGN},{OWN}"], ids=["own", "both"])
def test_key_of_the_database_is_taken(engine: Engine, keys: str) -> None:
    check_encryption_key(settings(engine, keys))


def test_database_without_any_secret_takes_every_key(engine: Engine) -> None:
    with pytest.raises(UnreadableSecretError):
        check_encryption_key(settings(engine, FOREIGN))
    with engine.begin() as connection:
        connection.exec_driver_sql("delete from encryption_key")

    check_encryption_key(settings(engine, FOREIGN))


def test_database_that_is_away_is_waited_for_by_whoever_serves(engine: Engine) -> None:
    check_encryption_key(settings(engine, FOREIGN, port=1))


def test_rotation_names_the_rows_that_do_not_open(engine: Engine) -> None:
    row = "'0190f0f0-0000-7000-8000-00000000000"
    with engine.begin() as connection:
        connection.execute(text(f"insert into environment (id, name) values ({row}1', 'tested')"))
        columns = "id, environment_id, target_url, secret_encrypted"
        connection.execute(text(f"insert into webhook ({columns}) values ({row}2', {row}1', 'https://a.test', 'k2:')"))

    result = subprocess.run(
        [sys.executable, "-m", "app.cli", "keys", "rotate"],
        check=False,
        env=build_environment(environment(engine, OWN)),
        capture_output=True,
        text=True,
    )

    assert result.returncode == 1
    assert f"webhook.secret_encrypted {row[1:]}2: does not open by any key at hand" in result.stderr
    assert "made a new key; 0 rows are encrypted anew" in result.stdout
