"""API tokens: bearer secrets of which only a hash is kept."""

import hashlib
import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from app.engine.errors import Failure, InvalidInputError, NotFoundError, UnauthorizedError
from app.engine.ids import parse_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import DEFAULT_ENVIRONMENT, ApiToken, EnvironmentId, Role
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.times import format_utc

_KIND = "api token"
_PREFIX = "frm_"
_SECRET_BYTES = 32
TRUST_SECONDS: Final = 1.0
"""So long a process takes a token for what it was; whoever ends one waits so long (docs/decisions/0008)."""
_MOST_TRUSTED: Final = 10_000


@dataclass(frozen=True, slots=True)
class KnownToken:
    """A token that was found by its secret's hash, whether or not it still opens anything."""

    token: ApiToken
    seconds_left: float = math.inf
    """By the clock that all processes share; 0 or less for one that has expired."""


@dataclass(frozen=True, slots=True)
class _Trusted:
    """A token that was valid a moment ago."""

    token: ApiToken
    until: float


class TokenStore(Protocol):
    """Keeps environments and their tokens."""

    def ensure_environment(self, name: str) -> EnvironmentId:
        """Find an environment by its name, or make it."""

    def create(self, environment_id: EnvironmentId, *, token_hash: bytes, values: Mapping[str, Any]) -> ApiToken:
        """Write a new token: its name, role, expires_at and created_by."""

    def find(self, token_hash: bytes) -> KnownToken | None:
        """Find the token with a hash, of any environment; that a valid one is in use is on record when this returns."""

    def get(self, environment_id: EnvironmentId, token_id: str) -> ApiToken | None:
        """Read one token that is not revoked."""

    def page(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[ApiToken]:
        """Read a page of the tokens that are not revoked."""

    def all(self, environment_id: EnvironmentId) -> Sequence[ApiToken]:
        """Read all tokens, also revoked ones, the newest first."""

    def revoke(self, environment_id: EnvironmentId, token_id: str, *, seen: RowVersion | None = None) -> float | None:
        """End a token; tell for how many seconds at least nobody has used it, None when there is no such token.

        It is an infinite time where nobody ever has.
        """


class TokenService:
    """Who may call the API."""

    def __init__(
        self,
        tokens: TokenStore,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tokens = tokens
        self._monotonic = monotonic
        self._pause = pause
        self._trusted: dict[bytes, _Trusted] = {}

    def default_environment(self) -> EnvironmentId:
        """Return the environment that an installation begins with."""
        return self._tokens.ensure_environment(DEFAULT_ENVIRONMENT)

    def create(
        self, environment_id: EnvironmentId, name: str, expires_at: datetime | None = None, *, role: Role = Role.ADMIN
    ) -> tuple[ApiToken, str]:
        """Make a token; give its record, and its secret for the only time."""
        return self._make(environment_id, {"name": name, "expires_at": expires_at, "role": role})

    def issue(self, creator: ApiToken, fields: JsonObject, faults: Sequence[Failure] = ()) -> tuple[ApiToken, str]:
        """Make a token for the holder of another: of its environment, of no higher role, and of no longer life.

        Raises InvalidInputError with ``faults``, which the caller found, and every other one.
        """
        role, expires_at = fields.get("role"), fields.get("expires_at")
        found = [*faults]
        if fields.get("environment_id", creator.environment_id) != creator.environment_id:
            found.append(Failure("environment_id", "does not exist", missing_reference=True))
        if role is not None and not creator.role.covers(Role(role)):
            found.append(Failure("role", f"is more than the '{creator.role}' of the token that asks"))
        if creator.expires_at and "expires_at" in fields and (expires_at is None or expires_at > creator.expires_at):
            found.append(
                Failure("expires_at", f"expected at most {format_utc(creator.expires_at)}, as of the token that asks")
            )
        if found:
            raise InvalidInputError(found)
        values = {"name": fields["name"], "role": Role(fields["role"]), "created_by": creator.id}
        return self._make(creator.environment_id, {**values, "expires_at": expires_at or creator.expires_at})

    def authenticate(self, secret: str) -> ApiToken:
        """Find the token that a secret belongs to; raise UnauthorizedError when it has none that is valid now."""
        # Looked up by its hash: how long that takes tells nothing about the secret.
        token_hash, now = _hash(secret), self._monotonic()
        trusted = self._trusted.get(token_hash)
        if trusted is not None and now < trusted.until:
            return trusted.token
        known = self._tokens.find(token_hash)
        if known is None:
            raise UnauthorizedError
        # Only who has the secret is told more.
        if known.token.revoked_at is not None:
            raise UnauthorizedError("this API token was revoked: use another one")
        if known.seconds_left <= 0 and known.token.expires_at is not None:
            raise UnauthorizedError(f"this API token expired at {format_utc(known.token.expires_at)}: use another one")
        if len(self._trusted) >= _MOST_TRUSTED:
            self._trusted.clear()
        self._trusted[token_hash] = _Trusted(known.token, until=now + min(TRUST_SECONDS, known.seconds_left))
        return known.token

    def get(self, environment_id: EnvironmentId, token_id: str) -> ApiToken:
        """Read one token; raise NotFoundError, also for one that is revoked."""
        token = self._tokens.get(environment_id, token_id)
        if token is None:
            raise NotFoundError(_KIND, token_id)
        return token

    def page(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[ApiToken]:
        """Read a page of the tokens that are not revoked."""
        return self._tokens.page(environment_id, filters)

    def list(self, environment_id: EnvironmentId) -> Sequence[ApiToken]:
        """Read all tokens, also revoked ones, the newest first."""
        return self._tokens.all(environment_id)

    def revoke(self, environment_id: EnvironmentId, token_id: str, *, seen: RowVersion | None = None) -> None:
        """End a token: once this returns it opens nothing any more, in no process; raise NotFoundError."""
        canonical = parse_id(token_id)
        rests_for = self._tokens.revoke(environment_id, canonical, seen=seen) if canonical is not None else None
        if rests_for is None:
            raise NotFoundError(_KIND, token_id)
        if rests_for < TRUST_SECONDS:
            self._pause(TRUST_SECONDS)

    def _make(self, environment_id: EnvironmentId, values: JsonObject) -> tuple[ApiToken, str]:
        secret = _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        return self._tokens.create(environment_id, token_hash=_hash(secret), values=values), secret


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
