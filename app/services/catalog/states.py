"""States: JSON that is kept from one run to the next, in the namespace of a state key."""

from collections.abc import Sequence
from typing import Protocol

from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.runs import RunState


class StateStore(Protocol):
    """Keeps states; of an environment and a state key, each key has one value."""

    def put(self, environment_id: EnvironmentId, values: JsonObject) -> tuple[RunState, bool]:
        """Write a value, new or in the place of the present one; tell whether it is new."""

    def get(self, environment_id: EnvironmentId, state_key: str, key: str) -> RunState | None:
        """Read one value."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[RunState]:
        """Read a page of values."""

    def update(
        self,
        environment_id: EnvironmentId,
        state_key: str,
        key: str,
        values: JsonObject,
        *,
        seen: RowVersion | None = None,
    ) -> RunState | None:
        """Replace a value that is there."""

    def delete(
        self, environment_id: EnvironmentId, state_key: str, key: str, *, seen: RowVersion | None = None
    ) -> bool:
        """Remove a value; tell whether there was one."""


class StateService:
    """The states of an environment."""

    def __init__(self, states: StateStore) -> None:
        self._states = states

    def put(
        self, environment_id: EnvironmentId, fields: JsonObject, faults: Sequence[Failure] = ()
    ) -> tuple[RunState, bool]:
        """Write a value, and tell whether it is new; raise InvalidInputError with ``faults``."""
        if faults:
            raise InvalidInputError(faults)
        return self._states.put(environment_id, fields)

    def get(self, environment_id: EnvironmentId, state_key: str, key: str) -> RunState:
        """Read one value; raise NotFoundError."""
        return _found(self._states.get(environment_id, state_key, key), key)

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[RunState]:
        """Read a page of values."""
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
        """Replace a value that is there; raise NotFoundError."""
        return _found(self._states.update(environment_id, state_key, key, changes, seen=seen), key)

    def delete(self, environment_id: EnvironmentId, state_key: str, key: str, *, seen: RowVersion | None = None) -> str:
        """Remove a value; raise NotFoundError."""
        if not self._states.delete(environment_id, state_key, key, seen=seen):
            raise NotFoundError("sync job run state", key)
        return key


def _found(state: RunState | None, key: str) -> RunState:
    if state is None:
        raise NotFoundError("sync job run state", key)
    return state
