"""Environments: made by the operator at the command line, and seen by the tokens that live in them."""

from collections.abc import Sequence
from typing import Protocol

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Environment, EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion

_KIND = "environment"


class EnvironmentStore(Protocol):
    """Keeps environments."""

    def create(self, name: str) -> Environment:
        """Write a new environment; raise InvalidInputError when its name is taken."""

    def by_name(self, name: str) -> Environment | None:
        """Find an environment by its name."""

    def all(self) -> Sequence[Environment]:
        """List all environments, the oldest first."""

    def page(self, own: EnvironmentId, filters: ListFilters) -> Page[Environment]:
        """List the one environment, if it is wanted."""

    def rename(self, own: EnvironmentId, name: str, *, seen: RowVersion | None = None) -> Environment:
        """Return an environment another name; raise InvalidInputError when it is taken."""


class EnvironmentService:
    """The environments of an installation."""

    def __init__(self, environments: EnvironmentStore) -> None:
        self._environments = environments

    def create(self, name: str) -> Environment:
        """Make an environment; raise InvalidInputError when its name is taken or empty."""
        if not name.strip():
            raise InvalidInputError([Failure("name", "is empty")])
        return self._environments.create(name)

    def named(self, name: str) -> Environment:
        """Find an environment by its name, which only the operator may; raise NotFoundError."""
        found = self._environments.by_name(name)
        if found is None:
            raise NotFoundError(_KIND, name)
        return found

    def all(self) -> Sequence[Environment]:
        """List all environments, which only the operator may."""
        return self._environments.all()

    def get(self, own: EnvironmentId, id: str) -> Environment:
        """Show a token's own environment; any other one does not exist for it: NotFoundError."""
        found = self.page(own, ListFilters(equal={"id": id}, limit=1)).result
        if not found:
            raise NotFoundError(_KIND, id)
        return found[0]

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
        if faults:
            raise InvalidInputError(faults)
        name = fields.get("name", current.name)
        return current if name == current.name else self._environments.rename(own, name, seen=seen)

    def page(self, own: EnvironmentId, filters: ListFilters) -> Page[Environment]:
        """List a token's own environment, if it is wanted."""
        return self._environments.page(own, filters)
