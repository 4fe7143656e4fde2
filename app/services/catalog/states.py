"""States: JSON that is kept from one run to the next, in the namespace of a state key."""

from collections.abc import Sequence

from app.engine.errors import Failure, NotFoundError
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.runs import RunState
from app.services.catalog.ports import StateStore
from app.services.crud import raise_for_failures, require

_KIND = "sync job run state"


class StateService:
    """The states of an environment."""

    def __init__(self, states: StateStore) -> None:
        self._states = states

    def put(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()
    ) -> tuple[RunState, bool]:
        """Write a value and return whether it is new; raise InvalidInputError with ``faults``."""
        raise_for_failures(faults)
        return self._states.put(environment_id, fields)

    def get(self, environment_id: EnvironmentId, state_key: str, key: str) -> RunState:
        """Return a value; raise NotFoundError."""
        return require(self._states.get(environment_id, state_key, key), _KIND, key)

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[RunState]:
        """Return a page of values."""
        return self._states.list(environment_id, filters)

    def update(
        self,
        environment_id: EnvironmentId,
        state_key: str,
        key: str,
        changes: JsonObject,
        *,
        seen: RowVersion | None = None,
    ) -> RunState:
        """Replace an existing value; raise NotFoundError."""
        return require(self._states.update(environment_id, state_key, key, changes, seen=seen), _KIND, key)

    def delete(self, environment_id: EnvironmentId, state_key: str, key: str, *, seen: RowVersion | None = None) -> str:
        """Remove a value; raise NotFoundError."""
        if not self._states.delete(environment_id, state_key, key, seen=seen):
            raise NotFoundError(_KIND, key)
        return key
