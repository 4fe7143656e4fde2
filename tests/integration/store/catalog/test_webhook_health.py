"""How long a webhook has failed, and when it is disabled for it."""

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, text

from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.store.catalog.tokens import TokenStore
from app.store.catalog.webhooks import WebhookStore
from app.store.db.database import connect
from app.store.secrets.encryption import Cipher
from app.store.secrets.encryption_keys import KeyStore

DAY = 24 * 3600.0
# Nobody else is there to be told.
ALONE: Any = {"announce": lambda others: []}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url, pool_size=1)
    yield engine
    engine.dispose()


def test_webhook_is_disabled_after_days_without_a_success(engine: Engine) -> None:
    store, environment_id = (
        WebhookStore(engine, Cipher(Fernet.generate_key().decode(), KeyStore(engine))),
        _environment(engine),
    )
    id = store.create(environment_id, new_id(), {"target_url": "https://x.test", "secret": "whsec_x"}).id

    assert not store.record_failure(id, "no answer", disable_after_seconds=5 * DAY, **ALONE)
    _age(engine, id, days=4)
    assert not store.record_failure(id, "no answer", disable_after_seconds=5 * DAY, **ALONE)
    store.record_success(id)
    assert not store.record_failure(id, "no answer", disable_after_seconds=5 * DAY, **ALONE)
    _age(engine, id, days=5)
    assert store.record_failure(id, "no answer", disable_after_seconds=5 * DAY, **ALONE)
    assert not store.record_failure(id, "another", disable_after_seconds=5 * DAY, **ALONE)

    webhook = store.get(environment_id, id)
    assert webhook is not None
    assert (webhook.is_active, webhook.disabled_reason) == (False, "no answer")
    enabled = store.update(environment_id, id, {"is_active": True})
    assert enabled is not None
    assert (enabled.is_active, enabled.failing_since, enabled.disabled_reason) == (True, None, None)


def test_webhook_that_is_gone_is_disabled_by_its_first_failure(engine: Engine) -> None:
    store, environment_id = (
        WebhookStore(engine, Cipher(Fernet.generate_key().decode(), KeyStore(engine))),
        _environment(engine),
    )
    id = store.create(environment_id, new_id(), {"target_url": "https://x.test", "secret": "whsec_x"}).id

    assert store.record_failure(id, "410", disable_after_seconds=0, **ALONE)


def _environment(engine: Engine) -> EnvironmentId:
    return TokenStore(engine).ensure_environment(new_id())


def _age(engine: Engine, id: str, *, days: int) -> None:
    with engine.begin() as connection:
        query = "update webhook set failing_since = failing_since - make_interval(days => :days) where id = :id"
        connection.execute(text(query), {"days": days, "id": id})
