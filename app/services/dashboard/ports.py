"""What the dashboard's services need from outside."""

from collections.abc import Mapping
from typing import Any, Protocol

from app.engine.objects.environments import ApiToken
from app.engine.objects.sessions import Session


class SessionStore(Protocol):
    """Keeps sessions and the codes of sign-in links, of which it knows hashes only."""

    def create(self, secret_hash: bytes, values: Mapping[str, Any], *, seconds: float) -> Session:
        """Write a session that ends after some seconds, or with its token; sessions that have ended are removed."""

    def find(self, secret_hash: bytes) -> Session | None:
        """Return a session that has not ended, and whose token is valid."""

    def delete(self, session_id: str) -> None:
        """End a session; one that has ended is no error."""

    def add_code(self, code_hash: bytes, token_id: str, *, seconds: float) -> None:
        """Write a code that is valid for some seconds; codes that have ended are removed."""

    def take_code(self, code_hash: bytes) -> ApiToken | None:
        """Remove a code, and return its token; None unless both are valid."""
