"""Schemas, as the API's callers see and change them."""

from collections.abc import Callable, Sequence
from functools import partial

from app.engine.errors import Failure
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.schemas.columns import ResourceSchema
from app.engine.schemas.patching import find_failures, patch
from app.engine.schemas.stored import StoredSchema
from app.services.crud import Reader, raise_for_failures, require
from app.services.ports import Clock

_KIND = "schema"


class SchemaService:
    """The schemas of environments; nobody creates or removes one."""

    def __init__(
        self,
        schemas: Reader[StoredSchema],
        list_page: Callable[[EnvironmentId, ListFilters], Page[StoredSchema]],
        update: Callable[..., StoredSchema | None],
        clock: Clock,
    ) -> None:
        """``update`` takes a function of the schema, and ``seen``; None where there is no such schema."""
        self._schemas = schemas
        self._update = update
        self._clock = clock
        self.list = list_page

    def get(self, environment_id: EnvironmentId, id: str) -> StoredSchema:
        """Return a schema; raise NotFoundError."""
        return require(self._schemas.get(environment_id, id), _KIND, id)

    def update(
        self,
        environment_id: EnvironmentId,
        id: str,
        changes: JsonObject,
        faults: Sequence[Failure] = (),
        *,
        seen: RowVersion | None = None,
    ) -> StoredSchema:
        """Change a schema's policy and columns; raise InvalidInputError with ``faults`` and every other one."""
        self.get(environment_id, id)
        change = partial(self._patch, changes, faults)
        return require(self._update(environment_id, id, change, seen=seen), _KIND, id)

    def _patch(self, changes: JsonObject, faults: Sequence[Failure], schema: ResourceSchema) -> ResourceSchema:
        raise_for_failures([*faults, *find_failures(schema, changes)])
        return patch(schema, changes, self._clock.now())
