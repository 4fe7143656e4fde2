"""API tokens: shown once, kept as a hash, ended at once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.engine.errors import Failure, InvalidInputError, NotFoundError, UnauthorizedError
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import ApiToken, EnvironmentId, Role
from app.engine.objects.lists import ListFilters, Page, RowVersion
from app.services.catalog.ports import KnownToken
from app.services.catalog.tokens import TokenService
from tests.unit.services.service_tables import ELSEWHERE, ENVIRONMENT, NOON

LATER = NOON + timedelta(days=30)


@dataclass
class FakeTokens:
    """Tokens by the hash of their secret; it is always ``now``."""

    now: datetime = NOON
    rests_for: float = math.inf
    """For how long a token was not used that is revoked."""
    asked: int = 0
    rows: dict[bytes, ApiToken] = field(default_factory=dict)
    environments: dict[str, EnvironmentId] = field(default_factory=dict)

    def ensure_environment(self, name: str) -> EnvironmentId:
        return self.environments.setdefault(name, EnvironmentId(new_id()))

    def create(self, environment_id: EnvironmentId, *, token_hash: bytes, values: Mapping[str, Any]) -> ApiToken:
        token = ApiToken(id=new_id(), environment_id=environment_id, created_at=NOON, updated_at=NOON, **values)
        self.rows[token_hash] = token
        return token

    def find(self, token_hash: bytes) -> KnownToken | None:
        self.asked += 1
        token = self.rows.get(token_hash)
        if token is None:
            return None
        if token.expires_at is None:
            return KnownToken(token)
        return KnownToken(token, (token.expires_at - self.now).total_seconds())

    def get(self, environment_id: EnvironmentId, token_id: str) -> ApiToken | None:
        return next((token for token in self.page(environment_id, ListFilters()).result if token.id == token_id), None)

    def page(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[ApiToken]:
        valid = [token for token in self.all(environment_id) if token.revoked_at is None]
        return Page(result=valid[: filters.limit], next_cursor=None, limit=filters.limit)

    def all(self, environment_id: EnvironmentId) -> list[ApiToken]:
        return [token for token in self.rows.values() if token.environment_id == environment_id]

    def revoke(self, environment_id: EnvironmentId, token_id: str, *, seen: RowVersion | None = None) -> float | None:
        for key, token in self.rows.items():
            if _is(token, environment_id, token_id) and token.revoked_at is None:
                self.rows[key] = replace(token, revoked_at=self.now)
                return self.rests_for
        return None


def _is(token: ApiToken, environment_id: EnvironmentId, token_id: str) -> bool:
    return (token.environment_id, token.id) == (environment_id, token_id)


@pytest.fixture
def store() -> FakeTokens:
    return FakeTokens()


@dataclass
class FakeClock:
    """Time that passes when somebody waits."""

    seconds: float = 100.0

    def monotonic(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def service(store: FakeTokens, clock: FakeClock) -> TokenService:
    return TokenService(store, monotonic=clock.monotonic, pause=clock.pause)


def test_default_environment_is_made_once(service: TokenService) -> None:
    assert service.default_environment() == service.default_environment()


def test_secret_opens_and_is_not_kept(store: FakeTokens, service: TokenService) -> None:
    token, secret = service.create(ENVIRONMENT, "ci", expires_at=LATER)

    assert service.authenticate(secret) == token
    assert (token.name, token.expires_at, token.role) == ("ci", LATER, Role.ADMIN)
    assert secret.startswith("frm_")
    assert secret not in repr(store)


def test_unknown_secret_is_refused_without_a_word(service: TokenService) -> None:
    with pytest.raises(UnauthorizedError, match=r"^A valid API token is required"):
        service.authenticate("frm_guess")


def test_expired_token_is_refused_and_told_so(store: FakeTokens, service: TokenService) -> None:
    _, secret = service.create(ENVIRONMENT, "ci", expires_at=LATER)
    store.now = LATER

    with pytest.raises(UnauthorizedError, match=r"expired at 2026-\S+Z"):
        service.authenticate(secret)


def test_revoked_token_no_longer_opens_and_is_told_so(service: TokenService) -> None:
    token, secret = service.create(ENVIRONMENT, "ci")

    service.revoke(ENVIRONMENT, token.id.upper())

    assert [entry.revoked_at for entry in service.list(ENVIRONMENT)] == [NOON]
    with pytest.raises(UnauthorizedError, match="was revoked"):
        service.authenticate(secret)
    with pytest.raises(NotFoundError):
        service.get(ENVIRONMENT, token.id)
    with pytest.raises(NotFoundError):
        service.revoke(ENVIRONMENT, token.id)


def test_valid_token_is_looked_up_once_a_second(store: FakeTokens, clock: FakeClock, service: TokenService) -> None:
    token, secret = service.create(ENVIRONMENT, "ci")

    for _ in range(21):
        assert service.authenticate(secret) == token
        clock.pause(0.125)

    assert store.asked == 3


def test_token_is_not_trusted_beyond_its_end(store: FakeTokens, clock: FakeClock, service: TokenService) -> None:
    _, secret = service.create(ENVIRONMENT, "ci", expires_at=NOON + timedelta(seconds=0.5))
    service.authenticate(secret)
    store.now += timedelta(seconds=0.5)
    clock.pause(0.5)

    with pytest.raises(UnauthorizedError, match="expired"):
        service.authenticate(secret)


@pytest.mark.parametrize(("rests_for", "waits"), [(-30, 1), (0.9, 1), (1, 0), (math.inf, 0)])
def test_revocation_waits_until_nobody_trusts_the_token_any_more(
    store: FakeTokens, clock: FakeClock, service: TokenService, rests_for: float, waits: float
) -> None:
    token, secret = service.create(ENVIRONMENT, "ci")
    elsewhere = TokenService(store, monotonic=clock.monotonic)
    if waits:
        elsewhere.authenticate(secret)
    store.rests_for, began = rests_for, clock.seconds

    service.revoke(ENVIRONMENT, token.id)

    assert clock.seconds - began == waits
    with pytest.raises(UnauthorizedError, match="was revoked"):
        elsewhere.authenticate(secret)


def test_trust_is_bounded(monkeypatch: pytest.MonkeyPatch, store: FakeTokens, service: TokenService) -> None:
    monkeypatch.setattr("app.services.catalog.tokens._MOST_TRUSTED", 2)
    secrets = [service.create(ENVIRONMENT, "ci")[1] for _ in range(3)]

    for secret in (*secrets, secrets[0]):
        service.authenticate(secret)

    assert store.asked == 4


def test_issued_token_names_its_maker_and_ends_with_it(service: TokenService) -> None:
    maker, _ = service.create(ENVIRONMENT, "boss", expires_at=LATER)

    made, secret = service.issue(maker, {"name": "reader", "role": "read"})

    assert service.authenticate(secret) == made == service.get(ENVIRONMENT, made.id)
    assert (made.created_by, made.role, made.expires_at) == (maker.id, Role.READ, LATER)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"role": "admin"}, "role"),
        ({"environment_id": ELSEWHERE}, "environment_id"),
        ({"expires_at": LATER + timedelta(seconds=1)}, "expires_at"),
        ({"expires_at": None}, "expires_at"),
    ],
    ids=["role", "environment", "later end", "no end"],
)
def test_nobody_issues_more_than_they_hold(service: TokenService, fields: JsonObject, path: str) -> None:
    maker, _ = service.create(ENVIRONMENT, "ci", expires_at=LATER, role=Role.RUN)
    known = Failure("name", "is required")

    with pytest.raises(InvalidInputError) as caught:
        service.issue(maker, {"role": "run", **fields}, [known])

    assert [failure.path for failure in caught.value.failures] == ["name", path]
    assert service.page(ENVIRONMENT, ListFilters()).result == [maker]


@pytest.mark.parametrize("held", list(Role))
def test_a_role_covers_itself_and_those_before_it(held: Role) -> None:
    covered = [needed for needed in Role if held.covers(needed)]

    assert covered == list(Role)[: list(Role).index(held) + 1]


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
