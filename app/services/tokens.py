"""API tokens: bearer secrets of which only a hash is kept."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from app.engine.errors import NotFoundError, UnauthorizedError
from app.engine.ids import canonical_id
from app.engine.objects import ApiToken, EnvironmentId

_PREFIX = "frm_"
_SECRET_BYTES = 32
_DEFAULT_ENVIRONMENT = "default"


class TokenStore(Protocol):
    """Keeps environments and their tokens."""

    def ensure_environment(self, name: str) -> EnvironmentId:
        """Find an environment by its name, or make it."""

    def create(
        self, environment_id: EnvironmentId, *, name: str, token_hash: bytes, expires_at: datetime | None
    ) -> ApiToken:
        """Write a new token."""

    def find(self, token_hash: bytes) -> ApiToken | None:
        """Find the valid token with a hash, of any environment, and note its use."""

    def all(self, environment_id: EnvironmentId) -> Sequence[ApiToken]:
        """Read all tokens, the newest first."""

    def revoke(self, environment_id: EnvironmentId, token_id: str) -> bool:
        """End a token; tell whether there is one."""


class TokenService:
    """Who may call the API."""

    def __init__(self, tokens: TokenStore) -> None:
        self._tokens = tokens

    def default_environment(self) -> EnvironmentId:
        """Give the environment that an installation begins with."""
        return self._tokens.ensure_environment(_DEFAULT_ENVIRONMENT)

    def create(
        self, environment_id: EnvironmentId, name: str, expires_at: datetime | None = None
    ) -> tuple[ApiToken, str]:
        """Make a token; give its record, and its secret for the only time."""
        secret = _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        token = self._tokens.create(environment_id, name=name, token_hash=_hash(secret), expires_at=expires_at)
        return token, secret

    def authenticate(self, secret: str) -> ApiToken:
        """Find the token that a secret belongs to; raise UnauthorizedError when it has none that is valid now."""
        # Looked up by its hash: how long that takes tells nothing about the secret.
        token = self._tokens.find(_hash(secret))
        if token is None:
            raise UnauthorizedError
        return token

    def list(self, environment_id: EnvironmentId) -> Sequence[ApiToken]:
        """Read all tokens, the newest first."""
        return self._tokens.all(environment_id)

    def revoke(self, environment_id: EnvironmentId, token_id: str) -> None:
        """End a token at once; raise NotFoundError."""
        canonical = canonical_id(token_id)
        if canonical is None or not self._tokens.revoke(environment_id, canonical):
            raise NotFoundError("token", token_id)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
