"""What the services of schemas need of the store."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from app.engine.objects.environments import EnvironmentId
from app.engine.schemas.columns import ResourceSchema

Change: TypeAlias = Callable[[ResourceSchema], ResourceSchema]
"""From a schema as it is to the one that it becomes; called again where somebody else was first."""


class SchemaStore(Protocol):
    """Keeps the schemas of resources."""

    def read(self, environment_id: EnvironmentId, integration_name: str, resource: str) -> ResourceSchema | None:
        """Return one; None while nothing is known of it."""

    def list(
        self, environment_id: EnvironmentId, *, integration_name: str | None = None, resource: str | None = None
    ) -> Sequence[ResourceSchema]:
        """Return those of an environment, of one integration or of resources of a name, in the order of their names."""

    def save(
        self, environment_id: EnvironmentId, integration_name: str, resource: str, change: Change
    ) -> ResourceSchema:
        """Change one, which need not be there yet, and keep what has changed as its history; return it then.

        Whoever else changes it waits, and changes what this has left.
        """
