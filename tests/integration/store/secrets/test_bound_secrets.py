"""A sealed value opens in its own row and column, and for its own purpose, and nowhere else; also the format before."""

import base64
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, LargeBinary, select, update

from app.engine.errors import UnreadableSecretError
from app.engine.ids import new_id
from app.engine.json_types import JSON
from app.engine.objects.environments import EnvironmentId
from app.services.calls.ports import SealPurpose
from app.services.maintenance.key_rotation import KeyRotation
from app.store import tables
from app.store.accounts.accounts import AccountStore
from app.store.accounts.credentials import CredentialStore
from app.store.catalog.environment_integrations import EffectiveIntegrations, EnvironmentIntegrationStore
from app.store.catalog.integrations import IntegrationStore
from app.store.catalog.tokens import TokenStore
from app.store.catalog.webhooks import WebhookStore
from app.store.db.database import connect
from app.store.destinations.datastores import DatastoreStore
from app.store.notifications.destinations import NotificationDestinationStore
from app.store.secrets.bound_values import (
    ACCOUNT_OVERRIDE,
    CONFIG,
    CONTEXT,
    DATASTORE_CONFIG,
    IN_JSON,
    NOTIFICATION_CONFIG,
    OVERRIDE,
    WEBHOOK_PREVIOUS_SECRET,
    WEBHOOK_SECRET,
    WHOLE,
    Place,
)
from app.store.secrets.bound_values import SealedColumn as Column
from app.store.secrets.encryption import Cipher, TokenSeal
from app.store.secrets.encryption_keys import KeyStore
from app.store.secrets.master_keys import LOOK_SECONDS, MasterKeys, UnboundValues
from app.store.secrets.sealed_rows import SealedRows
from tests.support.servers import PostgresServer

MASTER = Fernet.generate_key().decode()
# A row that was moved keeps what its secrets were bound to: test_key_rotation_store.py has those.
COLUMNS = tuple(column for column in (*WHOLE, *IN_JSON) if not column.bound_as)
PURPOSES = list(itertools.permutations(SealPurpose, 2))


@dataclass
class Seconds:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Tenant:
    """One thing of each kind."""

    environment: EnvironmentId
    integration: str
    account: str
    webhook: str
    installed: str
    datastore: str
    notified: str

    def identity(self, column: Column) -> str:
        return {
            CONTEXT: self.account,
            ACCOUNT_OVERRIDE: self.account,
            WEBHOOK_SECRET: self.webhook,
            WEBHOOK_PREVIOUS_SECRET: self.webhook,
            CONFIG: self.integration,
            OVERRIDE: self.integration,
            DATASTORE_CONFIG: self.datastore,
            NOTIFICATION_CONFIG: self.notified,
        }[column]


class Process:
    """One process's view of the database."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.keys, self.clock = engine, KeyStore(engine), Seconds()
        self.cipher = cipher = Cipher(MASTER, self.keys, monotonic=self.clock)
        self.seal = TokenSeal(cipher)
        self.accounts, self.credentials = AccountStore(engine, cipher), CredentialStore(engine, cipher)
        self.webhooks, self.integrations = WebhookStore(engine, cipher), IntegrationStore(engine, cipher)
        self.installed = EnvironmentIntegrationStore(engine, cipher)
        self.datastores = DatastoreStore(engine, cipher)
        self.notified = NotificationDestinationStore(engine, cipher)
        self.effective = EffectiveIntegrations(engine, cipher)
        rows = SealedRows(engine, cipher)
        self.rotation = KeyRotation(
            keys=self.keys,
            make_key=cipher.rotate,
            rewrap_key=cipher.wrap_anew,
            count_by_key=rows.count_by_key,
            reseal_some=rows.reseal_some,
            pause=lambda _seconds: None,
        )

    def tenant(self, environment: EnvironmentId) -> Tenant:
        config: JSON = {"base_url": "https://api.example.com", "headers": {"X-Api-Key": f"canary-{new_id()}"}}
        integration = self.integrations.create(environment, new_id(), {"name": new_id(), "config": config}).id
        values = {"integration_id": integration, "tenant_id": "t", "authentication_method": "token"}
        owned = {**values, "integration_override": config}
        account = self.accounts.create(environment, new_id(), owned, context={"token": f"canary-{new_id()}"}).id
        target = {"target_url": "https://example.com"}
        webhook = self.webhooks.create(environment, new_id(), {**target, "secret": f"canary-{new_id()}"}).id
        self.webhooks.replace_secret(environment, webhook, f"canary-{new_id()}", overlap_seconds=3600)
        installed, _ = self.installed.install(environment, {"integration_id": integration, "override": config})
        place = {"type": "postgres", "config": {"password": f"canary-{new_id()}"}}
        datastore = self.datastores.create(environment, new_id(), place).id
        told = {"type": "slack", "config": {"webhook_url": f"https://example.com/canary-{new_id()}"}}
        notified = self.notified.create(environment, new_id(), told).id
        return Tenant(environment, integration, account, webhook, installed.id, datastore, notified)

    def readers(self, column: Column, of: Tenant) -> list[Callable[[], object]]:
        environment = of.environment
        readers: dict[Column, list[Callable[[], object]]] = {
            CONTEXT: [
                lambda: self.accounts.get(environment, of.account),
                lambda: self.credentials.read_context(of.account),
                lambda: self.credentials.lock(of.account).__enter__(),
            ],
            ACCOUNT_OVERRIDE: [lambda: self.accounts.get(environment, of.account)],
            WEBHOOK_SECRET: [lambda: self.webhooks.get(environment, of.webhook)],
            WEBHOOK_PREVIOUS_SECRET: [lambda: self.webhooks.get(environment, of.webhook)],
            CONFIG: [
                lambda: self.integrations.get(environment, of.integration),
                lambda: self.effective.get(environment, of.integration),
            ],
            OVERRIDE: [lambda: self.effective.get(environment, of.integration)],
            DATASTORE_CONFIG: [lambda: self.datastores.get(environment, of.datastore)],
            NOTIFICATION_CONFIG: [lambda: self.notified.get(environment, of.notified)],
        }
        return readers[column]

    def stored(self, column: Column, of: Tenant) -> JSON | bytes:
        statement = select(column.table.c[column.name]).where(column.table.c[column.identity] == of.identity(column))
        with self.engine.connect() as connection:
            value: JSON | bytes = connection.execute(statement).scalar_one()
            return value

    def put(self, column: Column, of: Tenant, value: JSON | bytes) -> None:
        row = column.table.c[column.identity] == of.identity(column)
        with self.engine.begin() as connection:
            connection.execute(update(column.table).where(row).values({column.name: value}))

    def sealed_as_before(self, value: JSON) -> bytes:
        found = self.keys.read_current()
        assert found is not None
        key = MasterKeys(MASTER, UnboundValues(self.keys, self.clock)).unwrap(*found)
        return f"k:{found[0]}:".encode() + Fernet(key).encrypt(json.dumps(value).encode())

    def put_as_before(self, column: Column, of: Tenant, value: str) -> None:
        """Store what the release before would have stored."""
        if column in WHOLE:
            objects = (CONTEXT, DATASTORE_CONFIG, NOTIFICATION_CONFIG)
            self.put(column, of, self.sealed_as_before({"token": value} if column in objects else value))
        else:
            self.put(column, of, {"client": {"secret": in_json(self.sealed_as_before(value))}})


@pytest.fixture(scope="module")
def shared(postgres_server: PostgresServer) -> Iterator[Engine]:
    """A database for all tests that rotate nothing."""
    with postgres_server.fresh_database() as url:
        engine = connect(url, pool_size=4)
        yield engine
        engine.dispose()


@pytest.fixture(scope="module")
def process(shared: Engine) -> Process:
    return Process(shared)


@pytest.fixture
def own(process: Process) -> Tenant:
    return process.tenant(TokenStore(process.engine).ensure_environment("one"))


@pytest.fixture
def alone(postgres_server: PostgresServer) -> Iterator[Process]:
    with postgres_server.fresh_database() as url:
        engine = connect(url, pool_size=4)
        yield Process(engine)
        engine.dispose()


@pytest.fixture
def tenant(alone: Process) -> Tenant:
    return alone.tenant(TokenStore(alone.engine).ensure_environment("one"))


def in_json(token: bytes) -> str:
    return "ferryman-sealed:" + base64.urlsafe_b64encode(token).decode()


def named(column: Column) -> str:
    return f"{column.table.name}.{column.name}"


def refused(read: Callable[[], object]) -> str:
    with pytest.raises(UnreadableSecretError) as raised:
        read()
    assert "canary" not in str(raised.value)
    return str(raised.value)


def test_every_column_that_is_named_as_encrypted_is_bound() -> None:
    found = {
        (table.name, column.name)
        for table in tables.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary) and column.name.endswith("_encrypted")
    }

    assert found == {(column.table.name, column.name) for column in WHOLE}


@pytest.mark.parametrize("elsewhere", ["one", "other"], ids=["other row", "other tenant"])
@pytest.mark.parametrize("column", COLUMNS, ids=named)
def test_a_value_of_another_row_or_tenant_is_refused(
    process: Process, own: Tenant, column: Column, elsewhere: str
) -> None:
    other = process.tenant(TokenStore(process.engine).ensure_environment(elsewhere))

    process.put(column, own, process.stored(column, other))

    for read in process.readers(column, own):
        assert f"{column.table.name}|{column.name}|{own.identity(column)}' does not open there" in refused(read)
    for read in process.readers(column, other):
        read()


@pytest.mark.parametrize("elsewhere", ["one", "other"], ids=["other row", "other tenant"])
def test_an_override_of_elsewhere_is_shown_sealed_to_its_owner(process: Process, own: Tenant, elsewhere: str) -> None:
    other = process.tenant(TokenStore(process.engine).ensure_environment(elsewhere))

    process.put(OVERRIDE, own, process.stored(OVERRIDE, other))
    found = process.installed.get(own.environment, own.installed)

    assert found is not None
    assert found.unreadable == {("headers", "X-Api-Key")}
    assert found.override["headers"]["X-Api-Key"].startswith("ferryman-sealed:")


@pytest.mark.parametrize(("column", "source"), list(itertools.permutations(COLUMNS, 2)), ids=named)
def test_a_value_of_another_column_is_refused(process: Process, own: Tenant, column: Column, source: Column) -> None:
    token = process.stored(source, own)
    if source in IN_JSON:
        token = base64.urlsafe_b64decode(token["headers"]["X-Api-Key"].removeprefix("ferryman-sealed:"))  # type: ignore[index, call-overload, union-attr]

    process.put(column, own, token if column in WHOLE else {"headers": {"X-Api-Key": in_json(token)}})  # type: ignore[arg-type]

    for read in process.readers(column, own):
        assert f"{column.table.name}|{column.name}|" in refused(read)


@pytest.mark.parametrize("column", COLUMNS, ids=named)
def test_a_value_is_read_again_however_its_id_was_written(process: Process, own: Tenant, column: Column) -> None:
    config: JSON = {"headers": {"X-Api-Key": "changed"}}
    changes: dict[Column, Callable[[], object]] = {
        CONTEXT: lambda: process.accounts.update(
            own.environment, own.account.upper(), {}, change_context=lambda _old: {"token": "changed"}
        ),
        ACCOUNT_OVERRIDE: lambda: process.accounts.update(
            own.environment, own.account.upper(), {"integration_override": config}, change_context=lambda old: old
        ),
        WEBHOOK_SECRET: lambda: process.webhooks.update(own.environment, own.webhook.upper(), {"is_active": True}),
        WEBHOOK_PREVIOUS_SECRET: lambda: process.webhooks.replace_secret(
            own.environment, own.webhook.upper(), f"canary-{new_id()}", overlap_seconds=3600
        ),
        DATASTORE_CONFIG: lambda: process.datastores.update(
            own.environment, own.datastore.upper(), {"config": {"password": "changed"}}
        ),
        NOTIFICATION_CONFIG: lambda: process.notified.update(
            own.environment, own.notified.upper(), {"config": {"webhook_url": "https://example.com/changed"}}
        ),
        CONFIG: lambda: process.integrations.update(
            own.environment, own.integration.upper(), {"config": config}, version=1
        ),
        OVERRIDE: lambda: (
            process.installed.update(own.environment, own.installed.upper(), {"override": config}),
            process.installed.install(own.environment, {"integration_id": own.integration.upper(), "override": config}),
        ),
    }

    assert changes[column]() is not None

    for read in process.readers(column, own):
        assert read() is not None


def test_a_renewed_token_is_read_again(process: Process, own: Tenant) -> None:
    with process.credentials.lock(own.account.upper()) as locked:
        locked.write({"token": "renewed"}, None)

    assert process.credentials.read_context(own.account) == {"token": "renewed"}


@pytest.mark.parametrize("column", COLUMNS, ids=named)
def test_the_format_before_is_read_until_a_rotation_and_refused_after_it(
    alone: Process, tenant: Tenant, column: Column
) -> None:
    reader = Process(alone.engine)
    alone.put_as_before(column, tenant, "canary-of-before")
    before = alone.stored(column, tenant)
    for read in reader.readers(column, tenant):
        assert read() is not None

    alone.rotation.rotate()
    after = alone.stored(column, tenant)
    for read in reader.readers(column, tenant):
        read()
    alone.put(column, tenant, before)
    reader.clock.now += LOOK_SECONDS

    for one in (reader, Process(alone.engine)):
        for read in one.readers(column, tenant):
            assert "since 'ferryman keys rotate' has replaced" in refused(read)
    assert "k2:" in str(after) or "ferryman-sealed:azI6" in str(after)


def test_what_the_setting_itself_had_sealed_is_refused_after_a_rotation(alone: Process, tenant: Tenant) -> None:
    legacy = Fernet(MASTER.encode()).encrypt(b'{"token": "canary"}')
    alone.put(CONTEXT, tenant, legacy)
    assert alone.credentials.read_context(tenant.account) == {"token": "canary"}

    alone.rotation.rotate()
    assert alone.credentials.read_context(tenant.account) == {"token": "canary"}
    alone.put(CONTEXT, tenant, legacy)

    assert "since 'ferryman keys rotate' has replaced" in refused(
        lambda: Process(alone.engine).credentials.read_context(tenant.account)
    )


class DyingCipher(Cipher):
    """Kills its process after some rows."""

    rows = 0

    def seal(self, value: JSON, place: Place) -> bytes:
        if not self.rows:
            raise KeyboardInterrupt
        self.rows -= 1
        return super().seal(value, place)


def test_a_rotation_killed_between_any_two_rows_is_finished_by_the_next(alone: Process, tenant: Tenant) -> None:
    readers = [read for column in COLUMNS for read in alone.readers(column, tenant)]
    dying = DyingCipher(MASTER, alone.keys)
    rows = SealedRows(alone.engine, dying)

    for dying.rows in range(len(COLUMNS)):
        for column in COLUMNS:
            alone.put_as_before(column, tenant, "canary")
        with pytest.raises(KeyboardInterrupt):
            KeyRotation(
                keys=alone.keys,
                make_key=dying.rotate,
                rewrap_key=dying.wrap_anew,
                count_by_key=rows.count_by_key,
                reseal_some=rows.reseal_some,
                pause=lambda _seconds: None,
            ).rotate()
        assert [read() for read in readers]
        assert not alone.keys.refuses_unbound()

    rotated = Process(alone.engine).rotation.rotate()
    assert [read() for read in readers]
    assert dict(rows.count_by_key()) == {rotated.key_id: len(COLUMNS)}
    assert alone.keys.refuses_unbound()


@pytest.mark.parametrize(("purpose", "other"), PURPOSES)
def test_a_token_opens_for_its_purpose_alone(process: Process, purpose: SealPurpose, other: SealPurpose) -> None:
    sealed = process.seal.seal(["canary"], purpose)

    assert process.seal.open(sealed, purpose) == ["canary"]
    refused(lambda: process.seal.open(sealed, other))


@pytest.mark.parametrize("purpose", SealPurpose)
@pytest.mark.parametrize("column", COLUMNS, ids=named)
def test_a_stored_value_is_no_token_and_a_token_no_stored_value(
    process: Process, own: Tenant, column: Column, purpose: SealPurpose
) -> None:
    stored, token = process.stored(column, own), process.seal.seal("canary", purpose)
    if column in IN_JSON:
        stored = base64.urlsafe_b64decode(stored["headers"]["X-Api-Key"].removeprefix("ferryman-sealed:"))  # type: ignore[index, call-overload, union-attr]

    process.put(column, own, token if column in WHOLE else {"headers": {"X-Api-Key": in_json(token)}})

    refused(lambda: process.seal.open(stored, purpose))  # type: ignore[arg-type]
    for read in process.readers(column, own):
        refused(read)


@pytest.mark.parametrize("purpose", SealPurpose)
def test_a_token_of_the_format_before_opens_until_a_rotation(
    alone: Process, tenant: Tenant, purpose: SealPurpose
) -> None:
    token = alone.sealed_as_before(["canary"])
    assert alone.seal.open(token, purpose) == ["canary"]

    alone.rotation.rotate()
    alone.clock.now += LOOK_SECONDS

    refused(lambda: alone.seal.open(token, purpose))


def test_a_wrapped_key_is_bound_to_its_id(alone: Process, tenant: Tenant) -> None:
    first = alone.keys.read_current()
    assert first is not None
    second = alone.cipher.rotate(first[0])

    alone.keys.rewrap(first[0], second[1])

    refused(lambda: Process(alone.engine).credentials.read_context(tenant.account))


@pytest.mark.parametrize(
    "token", [b"", b"k2:", b"k2:x", b"k2:\xff:x", b"k:", b"k:x", b"k2:00000000:", b"gAAAA", b"\xff"]
)
def test_what_is_no_token_at_all_is_refused(process: Process, own: Tenant, token: bytes) -> None:
    refused(lambda: process.seal.open(token, SealPurpose.NEXT_CURSOR))


@pytest.mark.parametrize("cut", [0, 1, 12, 27, -1])
def test_a_cut_or_changed_value_is_refused(process: Process, own: Tenant, cut: int) -> None:
    sealed = process.stored(CONTEXT, own)
    assert isinstance(sealed, bytes)
    head, key_id, token = sealed.split(b":")
    raw = base64.urlsafe_b64decode(token)

    process.put(CONTEXT, own, b":".join([head, key_id, base64.urlsafe_b64encode(raw[:cut])]))

    refused(lambda: process.credentials.read_context(own.account))


def test_what_is_sealed_tells_nothing_of_itself(process: Process, own: Tenant) -> None:
    assert "canary" not in str([process.stored(column, own) for column in COLUMNS])
