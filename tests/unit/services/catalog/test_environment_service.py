"""Environments: made by the operator, seen by their own tokens."""

from dataclasses import dataclass, field, replace

import pytest

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.objects.environments import Environment, EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.services.catalog.environments import EnvironmentService
from tests.unit.services.service_tables import NOON


@dataclass
class FakeEnvironments:
    """Environments by their names."""

    rows: dict[str, Environment] = field(default_factory=dict)

    def create(self, name: str) -> Environment:
        self._check_free(name)
        id = EnvironmentId(f"the id of {name}")
        self.rows[name] = Environment(id=id, name=name, created_at=NOON, updated_at=NOON)
        return self.rows[name]

    def by_name(self, name: str) -> Environment | None:
        return self.rows.get(name)

    def all(self) -> list[Environment]:
        return list(self.rows.values())

    def rename(self, own: EnvironmentId, name: str, *, seen: RowVersion | None = None) -> Environment:
        self._check_free(name)
        (before,) = [entry for entry in self.rows.values() if entry.id == own]
        del self.rows[before.name]
        self.rows[name] = replace(before, name=name)
        return self.rows[name]

    def page(self, own: EnvironmentId, filters: ListFilters) -> Page[Environment]:
        wanted = filters.equal.get("id", own)
        found = [entry for entry in self.rows.values() if entry.id == own == wanted]
        return Page(result=found, next_cursor=None, limit=filters.limit)

    def _check_free(self, name: str) -> None:
        if name in self.rows:
            raise InvalidInputError([Failure("name", "is taken")])


@pytest.fixture
def service() -> EnvironmentService:
    return EnvironmentService(FakeEnvironments())


def test_the_operator_makes_and_finds_environments(service: EnvironmentService) -> None:
    made = [service.create("a"), service.create("b")]

    assert service.all() == made
    assert service.find("b") == made[1]


def test_an_environment_sees_itself_alone(service: EnvironmentService) -> None:
    own, other = service.create("a"), service.create("b")

    assert service.page(own.id, ListFilters()).result == [own]
    assert service.get(own.id, own.id) == own
    with pytest.raises(NotFoundError):
        service.get(own.id, other.id)


def test_an_environment_is_renamed_by_its_own_tokens(service: EnvironmentService) -> None:
    own, other = service.create("a"), service.create("b")

    assert service.rename(own.id, own.id, {"name": "c"}).name == "c"
    assert service.rename(own.id, own.id, {}).name == "c"
    with pytest.raises(NotFoundError):
        service.rename(own.id, other.id, {"name": "d"})
    with pytest.raises(InvalidInputError, match="name: too long"):
        service.rename(own.id, own.id, {}, [Failure("name", "too long")])


def test_faults_are_told(service: EnvironmentService) -> None:
    with pytest.raises(InvalidInputError, match="name: is empty"):
        service.create("  ")
    with pytest.raises(NotFoundError, match="environment 'nowhere' does not exist"):
        service.find("nowhere")
