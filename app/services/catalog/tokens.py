"""API tokens: bearer secrets of which only a hash is kept."""

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.engine.errors import Failure, NotFoundError, UnauthorizedError
from app.engine.ids import parse_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import DEFAULT_ENVIRONMENT, ApiToken, EnvironmentId, Role
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.engine.times import format_utc
from app.services.catalog.ports import TokenStore
from app.services.crud import raise_for_failures, require

_KIND = "api token"
_PREFIX = "frm_"
_SECRET_BYTES = 32
TRUST_SECONDS: Final = 1.0
"""How long a process trusts a token that it has read; a revocation waits as long (docs/decisions/0008)."""
_MOST_TRUSTED: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Trusted:
    """A token that was valid a moment ago."""

    token: ApiToken
    until: float


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
        """Create a token; return its record, and its secret, which is not kept."""
        return self._create(environment_id, {"name": name, "expires_at": expires_at, "role": role})

    def issue(self, creator: ApiToken, fields: JsonObject, faults: Sequence[Failure] = ()) -> tuple[ApiToken, str]:
        """Create a token for the holder of another: in its environment, with no higher role and no later end.

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
        raise_for_failures(found)
        values = {"name": fields["name"], "role": Role(fields["role"]), "created_by": creator.id}
        return self._create(creator.environment_id, {**values, "expires_at": expires_at or creator.expires_at})

    def authenticate(self, secret: str) -> ApiToken:
        """Return the token that a secret belongs to; raise UnauthorizedError when that is not valid."""
        # Looked up by its hash: the time that this takes reveals nothing about the secret.
        token_hash, now = _hash(secret), self._monotonic()
        trusted = self._trusted.get(token_hash)
        if trusted is not None and now < trusted.until:
            return trusted.token
        known = self._tokens.find(token_hash)
        if known is None:
            raise UnauthorizedError
        # Only the holder of the secret learns why.
        if known.token.revoked_at is not None:
            raise UnauthorizedError("this API token was revoked: use another one")
        if known.seconds_left <= 0 and known.token.expires_at is not None:
            raise UnauthorizedError(f"this API token expired at {format_utc(known.token.expires_at)}: use another one")
        if len(self._trusted) >= _MOST_TRUSTED:
            self._trusted.clear()
        self._trusted[token_hash] = _Trusted(known.token, until=now + min(TRUST_SECONDS, known.seconds_left))
        return known.token

    def get(self, environment_id: EnvironmentId, token_id: str) -> ApiToken:
        """Return a token; raise NotFoundError, also for one that is revoked."""
        return require(self._tokens.get(environment_id, token_id), _KIND, token_id)

    def page(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[ApiToken]:
        """Return a page of the tokens that are not revoked."""
        return self._tokens.page(environment_id, filters)

    def list(self, environment_id: EnvironmentId) -> Sequence[ApiToken]:
        """Return all tokens, also revoked ones, the newest first."""
        return self._tokens.all(environment_id)

    def revoke(self, environment_id: EnvironmentId, token_id: str, *, seen: RowVersion | None = None) -> None:
        """Revoke a token; no process accepts it once this returns. Raises NotFoundError."""
        canonical = parse_id(token_id)
        unused_seconds = self._tokens.revoke(environment_id, canonical, seen=seen) if canonical is not None else None
        if unused_seconds is None:
            raise NotFoundError(_KIND, token_id)
        if unused_seconds < TRUST_SECONDS:
            self._pause(TRUST_SECONDS)

    def _create(self, environment_id: EnvironmentId, values: JsonObject) -> tuple[ApiToken, str]:
        secret = _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        return self._tokens.create(environment_id, token_hash=_hash(secret), values=values), secret


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
