"""What the services of the catalog need from outside, beside the stores that ``app.services.crud`` describes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.engine.json_types import JsonObject
from app.engine.objects.environments import ApiToken, Environment, EnvironmentId
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.objects.runs import RunState


class StateStore(Protocol):
    """Stores states; of an environment and a state key, each key has one value."""

    def put(self, environment_id: EnvironmentId, values: JsonObject) -> tuple[RunState, bool]:
        """Write a value, new or in the place of the present one; return whether it is new."""

    def get(self, environment_id: EnvironmentId, state_key: str, key: str) -> RunState | None:
        """Return a value."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[RunState]:
        """Return a page of values."""

    def update(
        self,
        environment_id: EnvironmentId,
        state_key: str,
        key: str,
        values: JsonObject,
        *,
        seen: RowVersion | None = None,
    ) -> RunState | None:
        """Replace a value; None when it is absent."""

    def delete(
        self, environment_id: EnvironmentId, state_key: str, key: str, *, seen: RowVersion | None = None
    ) -> bool:
        """Remove a value; return whether it was there."""


class EnvironmentStore(Protocol):
    """Stores environments."""

    def create(self, name: str) -> Environment:
        """Write a new environment; raise InvalidInputError when its name is taken."""

    def find_by_name(self, name: str) -> Environment | None:
        """Return an environment by its name."""

    def all(self) -> Sequence[Environment]:
        """Return all environments, the oldest first."""

    def page(self, own: EnvironmentId, filters: ListFilters) -> Page[Environment]:
        """Return the environment ``own`` as a list, if the filters match it."""

    def rename(self, own: EnvironmentId, name: str, *, seen: RowVersion | None = None) -> Environment:
        """Rename an environment; raise InvalidInputError when it is taken."""


@dataclass(frozen=True, slots=True)
class KnownToken:
    """A token that was found by its secret's hash, whether or not it is still valid."""

    token: ApiToken
    seconds_left: float = math.inf
    """By the clock that all processes share; 0 or less when it has expired."""


class TokenStore(Protocol):
    """Stores API tokens, and the environment that an installation begins with."""

    def ensure_environment(self, name: str) -> EnvironmentId:
        """Return the environment with a name, which is created where there is none."""

    def create(self, environment_id: EnvironmentId, *, token_hash: bytes, values: Mapping[str, Any]) -> ApiToken:
        """Write a new token: its name, role, expires_at and created_by."""

    def find(self, token_hash: bytes) -> KnownToken | None:
        """Return the token with a hash, of any environment; the use of a valid one is recorded before this returns."""

    def get(self, environment_id: EnvironmentId, token_id: str) -> ApiToken | None:
        """Return a token that is not revoked."""

    def page(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[ApiToken]:
        """Return a page of the tokens that are not revoked."""

    def all(self, environment_id: EnvironmentId) -> Sequence[ApiToken]:
        """Return all tokens, also revoked ones, the newest first."""

    def revoke(self, environment_id: EnvironmentId, token_id: str, *, seen: RowVersion | None = None) -> float | None:
        """Revoke a token; return for how many seconds at least it was not used, None when there is no such token.

        The time is infinite for a token that was never used.
        """
