"""What a run's context is made of is what its parts' own stores give, read in one trip."""

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, text

from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.store.accounts.accounts import AccountStore
from app.store.catalog.environment_integrations import EffectiveIntegrations, EnvironmentIntegrationStore
from app.store.catalog.integrations import IntegrationStore
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect
from app.store.runs.rows import ContextRowStore
from app.store.runs.runs import RunStore
from app.store.secrets.encryption import Cipher
from app.store.secrets.encryption_keys import KeyStore


class Place:
    """A database with one account."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.cipher = Cipher(Fernet.generate_key().decode(), KeyStore(engine))
        self.environment: EnvironmentId = TokenStore(engine).ensure_environment("default")
        self.accounts = AccountStore(engine, self.cipher)
        integration = IntegrationStore(engine, self.cipher).create(
            self.environment, new_id(), {"name": "i", "config": {"base_url": "https://a.example.com", "headers": {}}}
        )
        self.integration_id = integration.id
        values = {"integration_id": integration.id, "tenant_id": "t", "authentication_method": "api_key"}
        self.account_id = new_id()
        self.accounts.create(self.environment, self.account_id, values, context={"api_key": "canary"})

    def add_run(self, *names: str) -> str:
        run_id = new_id()
        with self.engine.begin() as connection:
            connection.execute(
                text("""insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args,
                                                  args_hash, resources, sync_job, queue)
                        values (:run, :environment, :run, :account, 'running', '{"a": 1}', '', '[]', '{}', 'q')"""),
                {"run": run_id, "environment": self.environment, "account": self.account_id},
            )
            for position, name in enumerate(names):
                connection.execute(
                    text("""insert into run_resource (id, run_id, name, resource, method, persist, position)
                            values (:id, :run, :name, 'tickets', 'list', true, :position)"""),
                    {"id": new_id(), "run": run_id, "name": name, "position": position},
                )
        return run_id


@pytest.fixture
def place(database_url: str) -> Iterator[Place]:
    engine = connect(database_url)
    yield Place(engine)
    engine.dispose()


@pytest.mark.parametrize("override", [None, {"base_url": "https://b.example.com"}])
def test_parts_are_those_that_their_own_stores_give(place: Place, override: dict[str, str] | None) -> None:
    run_id = place.add_run("tickets", "ü'\"")
    if override:
        installed = {"integration_id": place.integration_id, "override": override, "show_in_catalog": True}
        EnvironmentIntegrationStore(place.engine, place.cipher).install(place.environment, installed)

    material = ContextRowStore(place.engine, place.cipher).read(run_id)

    assert material is not None
    effective = EffectiveIntegrations(place.engine, place.cipher).get(place.environment, place.integration_id)
    assert material.run == RunStore(place.engine).load(run_id)
    assert material.account == place.accounts.get(place.environment, place.account_id)
    assert material.integration == effective
    assert (
        effective is not None
        and effective.config["base_url"] == (override or {"base_url": "https://a.example.com"})["base_url"]
    )
    with place.engine.connect() as connection:
        ids = {row.name: str(row.id) for row in connection.execute(text("select name, id from run_resource"))}
    assert material.resource_ids == ids


def test_account_that_was_deleted_is_told(place: Place) -> None:
    run_id = place.add_run()
    place.accounts.delete(place.environment, place.account_id, erase_after_seconds=0)

    material = ContextRowStore(place.engine, place.cipher).read(run_id)

    assert material is not None
    assert (material.account, material.integration, material.resource_ids) == (None, None, {})


def test_run_that_was_deleted_has_none(place: Place) -> None:
    assert ContextRowStore(place.engine, place.cipher).read(new_id()) is None
