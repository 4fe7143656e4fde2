"""Environments, tokens, tenants and daemons: stores, and what stands for them in unit tests, do what ports say."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from app.engine.errors import InvalidInputError
from app.engine.objects.environments import EnvironmentId, Role
from app.engine.objects.lists import ListFilters
from app.services.catalog.ports import EnvironmentStore, TokenStore
from app.store.accounts import tenants
from app.store.catalog import environments, tokens
from app.store.db.database import connect
from app.store.maintenance import daemons
from tests.unit.services.accounts.test_tenant_service import FakeTenants
from tests.unit.services.catalog.test_environment_service import FakeEnvironments
from tests.unit.services.catalog.test_token_service import FakeTokens
from tests.unit.services.maintenance.test_reading_services import FakeDaemons

ABSENT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(params=["fake", "real"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine | None]:
    """Postgres; None where a fake stands for it."""
    if request.param == "fake":
        yield None
        return
    engine = connect(request.getfixturevalue("database_url"))
    yield engine
    engine.dispose()


@pytest.fixture
def environment_store(engine: Engine | None) -> EnvironmentStore:
    return FakeEnvironments() if engine is None else environments.EnvironmentStore(engine)


@pytest.fixture
def token_store(engine: Engine | None) -> TokenStore:
    return FakeTokens(now=datetime.now(UTC)) if engine is None else tokens.TokenStore(engine)


@pytest.fixture
def tenant_store(engine: Engine | None) -> FakeTenants | tenants.TenantStore:
    return FakeTenants() if engine is None else tenants.TenantStore(engine)


@pytest.fixture
def here(engine: Engine | None, token_store: TokenStore) -> EnvironmentId:
    return token_store.ensure_environment("here")


@pytest.fixture
def elsewhere(engine: Engine | None, token_store: TokenStore) -> EnvironmentId:
    return token_store.ensure_environment("elsewhere")


def test_environment_is_found_by_its_name_and_sees_itself_alone(environment_store: EnvironmentStore) -> None:
    one, other = environment_store.create("one"), environment_store.create("other")

    assert environment_store.find_by_name("one") == one
    assert environment_store.find_by_name("nobody") is None
    assert environment_store.page(one.id, ListFilters()).result == [one]
    assert [found for found in environment_store.all() if found.name in ("one", "other")] == [one, other]


def test_name_of_an_environment_is_taken_once(environment_store: EnvironmentStore) -> None:
    environment_store.create("one")
    other = environment_store.create("other")

    with pytest.raises(InvalidInputError):
        environment_store.create("one")
    with pytest.raises(InvalidInputError):
        environment_store.rename(other.id, "one")

    assert environment_store.rename(other.id, "another").name == "another"
    assert environment_store.find_by_name("other") is None


def test_environment_is_made_once(token_store: TokenStore) -> None:
    assert token_store.ensure_environment("a") == token_store.ensure_environment("a")
    assert token_store.ensure_environment("a") != token_store.ensure_environment("b")


def _values(**changes: Any) -> dict[str, Any]:
    return {"name": "ci", "role": Role.ADMIN, "expires_at": None, "created_by": None, **changes}


def test_token_is_found_by_its_hash_and_in_its_environment(
    token_store: TokenStore, here: EnvironmentId, elsewhere: EnvironmentId
) -> None:
    token = token_store.create(here, token_hash=b"hash", values=_values())

    found = token_store.find(b"hash")

    assert found is not None
    assert (found.token.id, found.seconds_left) == (token.id, math.inf)
    assert token_store.find(b"other") is None
    assert [one.id for one in token_store.page(here, ListFilters()).result] == [token.id]
    assert token_store.page(elsewhere, ListFilters()).result == []
    assert token_store.get(elsewhere, token.id) is None


def test_token_that_has_expired_has_no_seconds_left(token_store: TokenStore, here: EnvironmentId) -> None:
    now = datetime.now(UTC)
    for name, minutes in ((b"old", -1), (b"new", 1)):
        token_store.create(here, token_hash=name, values=_values(expires_at=now + timedelta(minutes=minutes)))

    old, new = token_store.find(b"old"), token_store.find(b"new")

    assert old is not None
    assert new is not None
    assert old.seconds_left <= 0 < new.seconds_left <= 61


def test_revoked_token_is_kept_and_listed_no_more(
    token_store: TokenStore, here: EnvironmentId, elsewhere: EnvironmentId
) -> None:
    token = token_store.create(here, token_hash=b"hash", values=_values())

    assert token_store.revoke(elsewhere, token.id) is None
    assert token_store.revoke(here, token.id) == math.inf
    assert token_store.revoke(here, token.id) is None

    assert token_store.get(here, token.id) is None
    assert [one.id for one in token_store.all(here)] == [token.id]
    assert token_store.all(here)[0].revoked_at is not None


def test_tenant_is_written_once_and_changed(
    tenant_store: FakeTenants | tenants.TenantStore, here: EnvironmentId, elsewhere: EnvironmentId
) -> None:
    (made,) = tenant_store.create_all(here, [{"id": "t", "name": "T", "metadata": {}}])

    assert tenant_store.create_all(here, [{"id": "t", "name": "U", "metadata": {}}]) == []
    assert tenant_store.get(here, "t") == made
    assert tenant_store.get(elsewhere, "t") is None
    changed = tenant_store.update(here, "t", {"name": "V"})

    assert changed is not None
    assert (changed.id, changed.name, changed.metadata) == ("t", "V", {})
    assert tenant_store.update(here, "nobody", {"name": "V"}) is None
    assert tenant_store.list(here, ListFilters()).result == [changed]
    assert tenant_store.list(elsewhere, ListFilters()).result == []


def test_tenant_is_removed_where_it_is(
    tenant_store: FakeTenants | tenants.TenantStore, here: EnvironmentId, elsewhere: EnvironmentId
) -> None:
    tenant_store.create_all(here, [{"id": "t", "name": "T", "metadata": {}}])

    assert tenant_store.delete(elsewhere, "t") is False
    assert tenant_store.delete(here, "t") is True
    assert tenant_store.delete(here, "t") is False


def test_daemons_are_found_listed_and_counted_by_their_groups(engine: Engine | None) -> None:
    registry = FakeDaemons() if engine is None else daemons.DaemonStore(engine)
    for name, group in (("a", "one"), ("b", "one"), ("c", "two")):
        registry.register(name, group_key=group, label=name, metadata={"pid": 7})

    found = registry.get("a")

    assert found is not None
    assert (found.id, found.group_key, found.label, found.metadata["pid"]) == ("a", "one", "a", 7)
    assert registry.get("nobody") is None
    assert {one.id for one in registry.list(ListFilters(equal={"group_key": "one"})).result} == {"a", "b"}
    assert registry.count_live_by_group(within_seconds=60) == {"one": 2, "two": 1}
    assert registry.read_failing_duties(within_seconds=60) == {}
