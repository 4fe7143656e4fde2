"""Environments: created by the operator at the command line, and shown to the tokens that belong to them."""

from collections.abc import Sequence

from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Environment, EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.services.catalog.ports import EnvironmentStore
from app.services.crud import raise_for_failures, require

_KIND = "environment"


class EnvironmentService:
    """The environments of an installation."""

    def __init__(self, environments: EnvironmentStore) -> None:
        self._environments = environments

    def create(self, name: str) -> Environment:
        """Create an environment; raise InvalidInputError when its name is taken or empty."""
        if not name.strip():
            raise InvalidInputError([Failure("name", "is empty")])
        return self._environments.create(name)

    def find(self, name: str) -> Environment:
        """Return an environment by its name, for the operator; raise NotFoundError."""
        return require(self._environments.find_by_name(name), _KIND, name)

    def all(self) -> Sequence[Environment]:
        """Return all environments, for the operator."""
        return self._environments.all()

    def get(self, own: EnvironmentId, id: str) -> Environment:
        """Return a token's own environment; raise NotFoundError for any other one."""
        found = self.page(own, ListFilters(equal={"id": id}, limit=1)).result
        return require(found[0] if found else None, _KIND, id)

    def rename(
        self,
        own: EnvironmentId,
        id: str,
        fields: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        seen: RowVersion | None = None,
    ) -> Environment:
        """Rename a token's own environment; raise NotFoundError for any other one, and InvalidInputError."""
        current = self.get(own, id)
        raise_for_failures(faults)
        name = fields.get("name", current.name)
        return current if name == current.name else self._environments.rename(own, name, seen=seen)

    def page(self, own: EnvironmentId, filters: ListFilters) -> Page[Environment]:
        """Return a token's own environment as a list, if the filters match it."""
        return self._environments.page(own, filters)
