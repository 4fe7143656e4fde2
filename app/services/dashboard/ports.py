"""What the dashboard's services need from outside."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from app.engine.objects.bulk_actions import BulkAction, BulkKind, BulkOutcome, BulkTarget
from app.engine.objects.environments import ApiToken, EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.engine.objects.sessions import Session
from app.services.dashboard.run_filters import RunFilters


class SessionStore(Protocol):
    """Stores sessions and the codes of sign-in links, of which it knows hashes only."""

    def create(self, secret_hash: bytes, values: Mapping[str, Any], *, seconds: float) -> Session:
        """Write a session that ends after some seconds, or with its token; sessions that have ended are removed."""

    def find(self, secret_hash: bytes) -> Session | None:
        """Return a session that has not ended, and whose token is valid."""

    def delete(self, session_id: str) -> None:
        """End a session; one that has ended is no error."""

    def list(self, environment_id: EnvironmentId) -> Sequence[Session]:
        """List the sessions that have not ended, the newest first."""

    def end(self, environment_id: EnvironmentId, whose: str) -> int:
        """End the session of an id, or all of a name; return how many."""

    def add_code(self, code_hash: bytes, token_id: str, *, seconds: float) -> None:
        """Write a code that is valid for some seconds; codes that have ended are removed."""

    def take_code(self, code_hash: bytes) -> ApiToken | None:
        """Remove a code, and return its token; None unless both are valid."""


class BulkStore(Protocol):
    """Bulk actions, and the runs that each is for."""

    def create(self, environment_id: EnvironmentId, kind: BulkKind, filters: RunFilters) -> str:
        """Write an action that is to be counted; return its id."""

    def get(self, environment_id: EnvironmentId, id: str) -> BulkAction | None:
        """Read one action."""

    def list(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[BulkAction]:
        """Read a page of actions."""

    def list_tried(
        self, environment_id: EnvironmentId, id: str, outcome: BulkOutcome, *, limit: int
    ) -> Sequence[BulkTarget]:
        """List some of the runs that an action ended so for."""

    def count_some(self, id: str, *, limit: int) -> bool:
        """Write down more of the runs that an action is for, each once; return whether there may be more."""

    def confirm(self, environment_id: EnvironmentId, id: str) -> bool:
        """Start a counted action; return whether it was one."""

    def cancel(self, environment_id: EnvironmentId, id: str) -> bool:
        """End an action that is not over; return whether it was one."""

    def find_open(self, *, skipped: Sequence[str], limit: int) -> Sequence[BulkAction]:
        """List actions with something to do, but for those to be skipped."""

    def find_pending(self, id: str, *, limit: int) -> Sequence[BulkTarget]:
        """List runs of an action whose turn has not come."""

    def record(self, id: str, tried: Sequence[BulkTarget]) -> None:
        """Record what became of runs, each once, and the action's end where none is left."""

    def record_error(self, id: str, error: str) -> None:
        """Record why an action does not go on."""

    def prune(self, *, kept_seconds: float, unconfirmed_seconds: float, limit: int) -> int:
        """Remove some of what ended, or was not confirmed, so long ago; return how many rows of it."""
