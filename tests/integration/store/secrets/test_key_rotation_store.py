"""Keys are rotated on a real database while others read and write, and after a death in the middle."""

import threading
from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, text

from app.engine.errors import ConflictError, UnreadableSecretError
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.services.maintenance.key_rotation import KeyRotation
from app.store.accounts.accounts import AccountStore
from app.store.accounts.deleted import DeletedAccounts
from app.store.catalog.integrations import IntegrationStore
from app.store.catalog.tokens import TokenStore
from app.store.catalog.webhooks import WebhookStore
from app.store.db.database import connect
from app.store.secrets.bound_values import token_place
from app.store.secrets.encryption import Cipher
from app.store.secrets.encryption_keys import KeyStore
from app.store.secrets.sealed_rows import SealedRows
from tests.support.servers import PostgresServer

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
CONFIG = {
    "base_url": "https://user:url-canary@api.example.com",
    "headers": {"X-Api-Key": "header-canary", "Accept": "text/plain"},
    "credentials": {"format": "oauth2", "config": {"client": {"id": "client", "secret": "client-canary"}}},
}


@pytest.fixture
def engine(postgres_server: PostgresServer) -> Iterator[Engine]:
    with postgres_server.fresh_database() as url:
        engine = connect(url, pool_size=2)
        yield engine
        engine.dispose()


class Place:
    """One process's view of the database."""

    def __init__(self, engine: Engine, master_keys: str = OLD) -> None:
        self.keys = KeyStore(engine)
        self.cipher = Cipher(master_keys, self.keys)
        self.accounts = AccountStore(engine, self.cipher)
        self.integrations = IntegrationStore(engine, self.cipher)
        self.webhooks = WebhookStore(engine, self.cipher)
        self.rows = SealedRows(engine, self.cipher)
        self.rotation = KeyRotation(
            keys=self.keys,
            make_key=self.cipher.rotate,
            rewrap_key=self.cipher.wrap_anew,
            count_by_key=self.rows.count_by_key,
            reseal_some=self.rows.reseal_some,
            pause=lambda _seconds: None,
        )

    def fill(self, environment: EnvironmentId, number: int = 1) -> list[str]:
        integration = self.integrations.create(environment, new_id(), {"name": new_id(), "config": CONFIG})
        values = {"integration_id": integration.id, "tenant_id": "t", "authentication_method": "oauth2"}
        ids = [new_id() for _ in range(number)]
        for id in ids:
            self.accounts.create(environment, id, values, context={"token": id})
        self.webhooks.create(environment, new_id(), {"target_url": "https://example.com", "secret": "webhook-canary"})
        return ids


@pytest.fixture
def environment(engine: Engine) -> EnvironmentId:
    return TokenStore(engine).ensure_environment("default")


def test_secrets_are_never_in_the_clear(engine: Engine, environment: EnvironmentId) -> None:
    place = Place(engine)
    place.fill(environment)

    with engine.connect() as connection:
        dumped = "".join(
            str(row) for table in ("integration", "integrated_account", "webhook") for row in _rows(connection, table)
        )
    config = place.integrations.find_by_name(environment, _name(engine))

    assert "canary" not in dumped
    assert "text/plain" in dumped
    assert config is not None
    assert config.config == CONFIG


def test_a_rotation_seals_every_row_anew_and_other_processes_read_on(
    engine: Engine, environment: EnvironmentId
) -> None:
    place, other = Place(engine), Place(engine)
    (account_id,) = place.fill(environment)
    first = place.keys.read_current()

    rotated = place.rotation.rotate()

    assert first is not None
    assert rotated.rows == 3
    assert dict(place.rows.count_by_key()) == {rotated.key_id: 3}
    assert rotated.key_id != first[0]
    account = other.accounts.get(environment, account_id)
    assert account is not None
    assert account.context == {"token": account_id}


def test_a_rotation_seals_both_secrets_of_a_webhook_that_has_two(engine: Engine, environment: EnvironmentId) -> None:
    place, other = Place(engine), Place(engine)
    id = new_id()
    place.webhooks.create(environment, id, {"target_url": "https://example.com", "secret": "old-canary"})
    place.webhooks.replace_secret(environment, id, "new-canary", overlap_seconds=60)

    rotated = place.rotation.rotate()

    assert rotated.rows == 2
    assert dict(place.rows.count_by_key()) == {rotated.key_id: 2}
    webhook = other.webhooks.get(environment, id)
    assert webhook is not None
    assert (webhook.secret, webhook.previous_secret) == ("new-canary", "old-canary")
    with engine.connect() as connection:
        assert "canary" not in str(_rows(connection, "webhook"))


def test_secret_that_two_replace_at_once_is_replaced_by_one_of_them(
    engine: Engine, environment: EnvironmentId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the second would end the secret that receivers know, and show its own beside one that nobody was told."""
    place, other = Place(engine), Place(engine)
    id = new_id()
    place.webhooks.create(environment, id, {"target_url": "https://example.com", "secret": "old"})
    seal = place.cipher.seal

    def seal_late(value: object, at: object) -> bytes:
        monkeypatch.undo()
        other.webhooks.replace_secret(environment, id, "theirs", overlap_seconds=60)
        return seal(value, at)  # type: ignore[arg-type]

    monkeypatch.setattr(place.cipher, "seal", seal_late)

    with pytest.raises(ConflictError):
        place.webhooks.replace_secret(environment, id, "ours", overlap_seconds=60)

    webhook = place.webhooks.get(environment, id)
    assert webhook is not None
    assert (webhook.secret, webhook.previous_secret) == ("theirs", "old")


def test_a_rotation_seals_accounts_that_may_come_back(engine: Engine, environment: EnvironmentId) -> None:
    place = Place(engine)
    (account_id,) = place.fill(environment)
    override = {"headers": {"X-Api-Key": "override-canary"}}
    place.accounts.update(environment, account_id, {"integration_override": override}, change_context=lambda kept: kept)
    place.accounts.delete(environment, account_id, erase_after_seconds=3600)

    rotated = place.rotation.rotate()

    assert rotated.rows == 4
    assert set(place.rows.count_by_key()) == {rotated.key_id}
    assert DeletedAccounts(engine).restore(environment, account_id)
    account = Place(engine).accounts.get(environment, account_id)
    assert account is not None
    assert (account.context, account.integration_override) == ({"token": account_id}, override)


def test_a_rotation_seals_literals_that_were_none_when_they_were_stored(
    engine: Engine, environment: EnvironmentId
) -> None:
    place = Place(engine)
    place.fill(environment)
    with engine.begin() as connection:
        clear = '{"base_url": "https://up.test", "headers": {"X-Partner-Key": "canary"}}'
        connection.execute(text("update integration set config = cast(:config as jsonb)"), {"config": clear})

    before = place.integrations.find_by_name(environment, _name(engine))
    place.rotation.rotate()

    after = place.integrations.find_by_name(environment, _name(engine))
    with engine.connect() as connection:
        assert "canary" not in str(_rows(connection, "integration"))
    assert before is not None
    assert after is not None
    assert after.config == before.config


def test_a_rotation_that_dies_in_the_middle_is_finished_by_the_next(engine: Engine, environment: EnvironmentId) -> None:
    place = Place(engine)
    place.fill(environment, 5)
    key_id, _ = place.cipher.rotate(place.keys.read_current()[0])  # type: ignore[index]
    place.rows.reseal_some(key_id, limit=2, unreadable=set())

    assert len(place.rows.count_by_key()) == 2
    rotated = Place(engine).rotation.rotate()

    assert (rotated.key_id, rotated.went_on) == (key_id, True)
    assert dict(place.rows.count_by_key()) == {key_id: 7}


def test_a_row_that_does_not_open_stays_and_all_others_are_sealed_anew(
    engine: Engine, environment: EnvironmentId
) -> None:
    place = Place(engine)
    broken, *sound = place.fill(environment, 3)
    with engine.begin() as connection:
        statement = "update integrated_account set context_encrypted = 'k2:00000000:AAAA' where id = :id"
        connection.execute(text(statement), {"id": broken})
        connection.execute(text("update webhook set secret_encrypted = 'no such thing'"))

    rotated = place.rotation.rotate()

    assert [name.split(" ")[0] for name in rotated.unreadable] == [
        "integrated_account.context_encrypted",
        "webhook.secret_encrypted",
    ]
    assert rotated.unreadable[0].endswith(broken)
    assert [place.accounts.get(environment, id).context for id in sound] == [{"token": id} for id in sound]  # type: ignore[union-attr]
    assert not place.keys.refuses_unbound()
    assert place.rotation.rotate().key_id != rotated.key_id


def test_changes_during_rotations_are_not_lost(engine: Engine, environment: EnvironmentId) -> None:
    place, writer = Place(engine), Place(engine)
    ids = place.fill(environment, 4)
    stop = threading.Event()
    counts = dict.fromkeys(ids, 0)

    def write() -> None:
        while not stop.is_set():
            for id in ids:
                counts[id] += 1
                change = {"count": counts[id]}
                writer.accounts.update(environment, id, {}, change_context=lambda _current, change=change: change)  # type: ignore[misc]

    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(3):
        place.rotation.rotate()
    stop.set()
    thread.join()

    kept = {id: place.accounts.get(environment, id) for id in ids}
    assert {id: account and account.context for id, account in kept.items()} == {
        id: {"count": count} for id, count in counts.items()
    }
    assert min(counts.values()) > 0


def test_the_setting_itself_is_replaced_in_three_steps(engine: Engine, environment: EnvironmentId) -> None:
    (account_id,) = Place(engine, OLD).fill(environment)

    Place(engine, f"{NEW},{OLD}").rotation.rotate()

    account = Place(engine, NEW).accounts.get(environment, account_id)
    assert account is not None
    assert account.context == {"token": account_id}
    with pytest.raises(UnreadableSecretError, match="FERRYMAN_ENCRYPTION_KEY"):
        Place(engine, OLD).accounts.get(environment, account_id)


def test_what_was_sealed_before_there_were_data_keys_is_read_and_rotated(
    engine: Engine, environment: EnvironmentId
) -> None:
    place = Place(engine)
    (account_id,) = place.fill(environment)
    legacy = Fernet(OLD.encode()).encrypt(b'{"token": "legacy"}')
    with engine.begin() as connection:
        connection.execute(text("update integrated_account set context_encrypted = :sealed"), {"sealed": legacy})

    before = place.accounts.get(environment, account_id)
    place.rotation.rotate()
    after = place.accounts.get(environment, account_id)

    assert before is not None
    assert after is not None
    assert before.context == after.context == {"token": "legacy"}
    assert "" not in place.rows.count_by_key()


def test_two_processes_that_seal_at_once_make_one_first_key(engine: Engine) -> None:
    places = [Place(engine) for _ in range(4)]
    threads = [threading.Thread(target=place.cipher.seal, args=("x", token_place("next cursor"))) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(places[0].keys.list()) == 1


def _rows(connection: object, table: str) -> list[object]:
    return list(connection.execute(text(f"select * from {table}")))  # type: ignore[attr-defined]


def _name(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text("select name from integration")).scalar_one())
