"""Tenants are made once, changed but for their id, and removed once they have no accounts."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId, Tenant
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.services.accounts.tenants import TenantService
from tests.unit.services.service_tables import ENVIRONMENT, NOON


class FakeTenants:
    """The tenants of all environments; ``acme`` has accounts."""

    def __init__(self) -> None:
        self.rows: dict[tuple[EnvironmentId, str], Tenant] = {}

    def create_all(self, environment_id: EnvironmentId, tenants: Sequence[JsonObject]) -> Sequence[Tenant]:
        made = [
            Tenant(environment_id=environment_id, created_at=NOON, updated_at=NOON, **one)
            for one in tenants
            if (environment_id, one["id"]) not in self.rows
        ]
        self.rows |= {(environment_id, one.id): one for one in made}
        return made

    def create(self, environment_id: EnvironmentId, id: str, values: JsonObject) -> Tenant:
        return self.create_all(environment_id, [{**values, "id": id}])[0]

    def get(self, environment_id: EnvironmentId, id: str) -> Tenant | None:
        return self.rows.get((environment_id, id))

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[Tenant]:
        found = [row for row in self.rows.values() if row.environment_id == environment_id]
        return Page(result=found, next_cursor=None, limit=filters.limit)

    def update(
        self, environment_id: EnvironmentId, id: str, values: JsonObject, *, seen: RowVersion | None = None
    ) -> Tenant | None:
        if (environment_id, id) not in self.rows:
            return None
        self.rows[environment_id, id] = replace(self.rows[environment_id, id], **values)
        return self.rows[environment_id, id]

    def delete(self, environment_id: EnvironmentId, id: str, *, seen: RowVersion | None = None) -> bool:
        if id == "acme":
            raise InvalidInputError([Failure("id", "tenant 'acme' has accounts")])
        return self.rows.pop((environment_id, id), None) is not None


@pytest.fixture
def service() -> TenantService:
    tenants = FakeTenants()
    made = TenantService(tenants, tenants.create_all)
    made.create(ENVIRONMENT, {"id": "acme", "metadata": {"tier": "gold"}})
    return made


def test_tenant_is_called_by_its_id_unless_it_has_a_name(service: TenantService) -> None:
    assert service.get(ENVIRONMENT, "acme").name == "acme"
    assert service.create(ENVIRONMENT, {"id": "o@x:1", "name": "Other"}).name == "Other"
    assert [one.id for one in service.list(ENVIRONMENT, ListFilters()).result] == ["acme", "o@x:1"]


@pytest.mark.parametrize("id", ["", "a b", "a/b", "x" * 257, "bulk", None])
def test_id_that_is_none_is_refused(service: TenantService, id: Any) -> None:
    with pytest.raises(InvalidInputError, match="id: expected 1 to 256"):
        service.create(ENVIRONMENT, {"id": id})


def test_tenant_is_made_once(service: TenantService) -> None:
    with pytest.raises(InvalidInputError, match="a tenant 'acme' exists already"):
        service.create(ENVIRONMENT, {"id": "acme"})
    with pytest.raises(InvalidInputError, match="id: expected a text"):
        service.create(ENVIRONMENT, {}, [Failure("id", "expected a text")])


def test_many_are_made_and_those_that_are_there_are_told(service: TenantService) -> None:
    asked = [{"id": "b", "name": "First"}, {"id": "acme"}, {"id": "b", "name": "Second"}, {"id": "c", "name": None}]

    made, skipped = service.create_all(ENVIRONMENT, {"tenants": asked})

    assert sorted((one.id, one.name) for one in made) == [("b", "First"), ("c", "c")]
    assert skipped == ["acme", "b"]


def test_every_fault_of_many_is_told(service: TenantService) -> None:
    asked = [5, {"id": "a b", "metadata": []}, {"id": "ok", "name": 5, "other": 1}]

    with pytest.raises(InvalidInputError) as raised:
        service.create_all(ENVIRONMENT, {"tenants": asked}, [Failure("x", "y")])

    paths = [failure.path for failure in raised.value.failures]
    assert paths == ["x", "tenants.0", "tenants.1.id", "tenants.1.metadata", "tenants.2.other", "tenants.2.name"]
    assert service.list(ENVIRONMENT, ListFilters()).result == [service.get(ENVIRONMENT, "acme")]


def test_tenant_is_changed_but_for_its_id(service: TenantService) -> None:
    changed = service.update(ENVIRONMENT, "acme", {"id": "acme", "name": "Acme Ltd", "metadata": {}})

    assert (changed.name, changed.metadata) == ("Acme Ltd", {})
    with pytest.raises(InvalidInputError, match="id: can not be changed"):
        service.update(ENVIRONMENT, "acme", {"id": "other"})
    with pytest.raises(NotFoundError):
        service.update(ENVIRONMENT, "nobody", {})


def test_tenant_with_accounts_stays(service: TenantService) -> None:
    service.create(ENVIRONMENT, {"id": "b"})

    assert service.delete(ENVIRONMENT, "b") == "b"
    with pytest.raises(InvalidInputError, match="tenant 'acme' has accounts"):
        service.delete(ENVIRONMENT, "acme")
    with pytest.raises(NotFoundError):
        service.delete(ENVIRONMENT, "nobody")
