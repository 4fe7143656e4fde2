"""API tokens: shown once, kept as a hash, ended at once."""

from dataclasses import dataclass, field
from datetime import datetime

import pytest
from service_tables import ELSEWHERE, ENVIRONMENT, NOON

from app.engine.errors import NotFoundError, UnauthorizedError
from app.engine.ids import new_id
from app.engine.objects import ApiToken, EnvironmentId
from app.services.tokens import TokenService


@dataclass
class FakeTokens:
    """Valid tokens by the hash of their secret."""

    rows: dict[bytes, ApiToken] = field(default_factory=dict)
    environments: dict[str, EnvironmentId] = field(default_factory=dict)

    def ensure_environment(self, name: str) -> EnvironmentId:
        return self.environments.setdefault(name, EnvironmentId(new_id()))

    def create(
        self, environment_id: EnvironmentId, *, name: str, token_hash: bytes, expires_at: datetime | None
    ) -> ApiToken:
        token = ApiToken(id=new_id(), environment_id=environment_id, name=name, created_at=NOON, expires_at=expires_at)
        self.rows[token_hash] = token
        return token

    def find(self, token_hash: bytes) -> ApiToken | None:
        return self.rows.get(token_hash)

    def all(self, environment_id: EnvironmentId) -> list[ApiToken]:
        return [token for token in self.rows.values() if token.environment_id == environment_id]

    def revoke(self, environment_id: EnvironmentId, token_id: str) -> bool:
        before = len(self.rows)
        kept = {hash: token for hash, token in self.rows.items() if not _is(token, environment_id, token_id)}
        self.rows = kept
        return len(kept) < before


def _is(token: ApiToken, environment_id: EnvironmentId, token_id: str) -> bool:
    return (token.environment_id, token.id) == (environment_id, token_id)


@pytest.fixture
def store() -> FakeTokens:
    return FakeTokens()


@pytest.fixture
def service(store: FakeTokens) -> TokenService:
    return TokenService(store)


def test_default_environment_is_made_once(service: TokenService) -> None:
    assert service.default_environment() == service.default_environment()


def test_secret_opens_and_is_not_kept(store: FakeTokens, service: TokenService) -> None:
    token, secret = service.create(ENVIRONMENT, "ci", expires_at=NOON)

    assert service.authenticate(secret) == token
    assert (token.name, token.expires_at) == ("ci", NOON)
    assert secret.startswith("frm_")
    assert secret not in repr(store)


def test_unknown_secret_is_refused(service: TokenService) -> None:
    with pytest.raises(UnauthorizedError):
        service.authenticate("frm_guess")


def test_revoked_token_no_longer_opens(service: TokenService) -> None:
    token, secret = service.create(ENVIRONMENT, "ci")

    service.revoke(ENVIRONMENT, token.id.upper())

    assert service.list(ENVIRONMENT) == []
    with pytest.raises(UnauthorizedError):
        service.authenticate(secret)


@pytest.mark.parametrize("token_id", ["not an id", "00000000-0000-0000-0000-000000000000"])
def test_token_that_is_not_there_can_not_be_revoked(service: TokenService, token_id: str) -> None:
    with pytest.raises(NotFoundError):
        service.revoke(ENVIRONMENT, token_id)


def test_each_environment_has_its_own_tokens(service: TokenService) -> None:
    token, _ = service.create(ENVIRONMENT, "ci")

    assert service.list(ENVIRONMENT) == [token]
    assert service.list(ELSEWHERE) == []
    with pytest.raises(NotFoundError):
        service.revoke(ELSEWHERE, token.id)
