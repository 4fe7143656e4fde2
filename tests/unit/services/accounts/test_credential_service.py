"""Renewing tokens: who asks, who finds that another one has asked, and what becomes of a token that is not stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from app.engine.accounts import oauth
from app.engine.accounts.oauth import TokenRequest
from app.engine.errors import StoreUnavailableError
from app.engine.integrations.config import parse_config
from app.engine.integrations.credentials import OAuthGrant
from app.engine.json_types import JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.record_errors import InvalidGrantError, SourceError
from app.services.accounts.credentials import CredentialService
from app.services.accounts.ports import Announcement, LockedCredentials

CONFIG, _ = parse_config(
    {"base_url": "https://up.test", "credentials": {"oauth2": {"auth": {"tokenHost": "https://id.test"}}}}
)
assert CONFIG is not None
GRANT = CONFIG.grants[0]


NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ACCOUNT = IntegratedAccount(
    id="account",
    environment_id=EnvironmentId("environment"),
    integration_id="integration",
    integration_name="acme",
    tenant_id="tenant",
    authentication_method="oauth2",
    status="needs_reauth",
    context={"secret": "canary"},
    created_at=NOON,
    updated_at=NOON,
)


def context(token: str) -> JsonObject:
    return {"client_id": "c", "oauth": {"token": {"access_token": token, "refresh_token": f"refresh-{token}"}}}


@dataclass
class FakeCredentials:
    """The credentials of one account, and its token endpoint."""

    stored: JsonObject = field(default_factory=lambda: context("old"))
    answers: list[Any] = field(default_factory=lambda: [{"access_token": "new"}])
    failing_writes: int = 0
    while_asked: JsonObject | None = None
    """What somebody else stores meanwhile, without the lock."""
    asked: int = 0
    pauses: list[float] = field(default_factory=list)
    is_refused: bool = False
    refused_call: str = "users.list"
    announced: Any = None
    origins: frozenset[str] | None = None
    forbidden: list[JsonObject] = field(default_factory=list)

    @contextmanager
    def lock(self, account_id: str) -> Iterator[LockedCredentials]:
        context, origins = self.read_current(account_id)
        yield LockedCredentials(context=context, origins=origins, write=self.write)

    def write(self, context: JsonObject, origins: frozenset[str] | None = None) -> None:
        if self.failing_writes:
            self.failing_writes -= 1
            self.stored = self.while_asked or self.stored
            raise StoreUnavailableError
        self.stored, self.origins, self.is_refused = context, origins or self.origins, False

    def read_context(self, account_id: str) -> JsonObject:
        return self.read_current(account_id)[0]

    def read_current(self, account_id: str) -> tuple[JsonObject, frozenset[str] | None]:
        if account_id != ACCOUNT.id:
            raise SourceError("needs_reauth", f"integrated account '{account_id}' was deleted")
        return self.stored, self.origins

    def record_forbidden(self, account_id: str, error: JsonObject) -> None:
        self.forbidden.append(error)

    def refuse(self, account_id: str, *, token: str | None, reason: str, call: str, announce: Announcement) -> bool:
        if account_id != ACCOUNT.id or self.is_refused or token != oauth.find_access_token(self.stored):
            return False
        self.is_refused, self.refused_call = True, call
        self.announced = announce(ACCOUNT, ["webhook"])
        return True

    def accept(self, account_id: str, *, token: str | None, call: str, quiet_seconds: float) -> bool:
        """No time passes: the refusal of another call outweighs this one, unless that is quiet at once."""
        if account_id != ACCOUNT.id or not self.is_refused:
            return True
        is_quiet = call == self.refused_call or quiet_seconds == 0
        self.is_refused = not is_quiet or token != oauth.find_access_token(self.stored)
        return not self.is_refused

    def request_token(self, request: TokenRequest) -> JsonObject:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            self.stored = self.while_asked or self.stored
            raise answer
        found: JsonObject = answer
        return found

    def now(self) -> datetime:
        return NOON


def service(fake: FakeCredentials) -> CredentialService:
    return CredentialService(store=fake, ask_for_token=fake.request_token, clock=fake, pause=fake.pauses.append)


def merge_token(fake: FakeCredentials, stale: str = "old") -> str | None:
    return oauth.find_access_token(service(fake).renew("account", GRANT, stale=stale))


def test_a_stale_token_is_renewed_and_stored() -> None:
    fake = FakeCredentials()

    assert merge_token(fake) == "new"
    assert oauth.find_access_token(fake.stored) == "new"


def grant_of(base_url: str) -> OAuthGrant:
    credentials = {"oauth2": {"auth": {"tokenHost": "https://id.test"}}}
    config, _ = parse_config({"base_url": base_url, "credentials": credentials})
    assert config is not None
    return config.grants[0]


def test_a_token_for_another_origin_leads_its_account_there() -> None:
    answer = {"access_token": "new", "instance_url": "https://two.test"}
    fake = FakeCredentials(answers=[answer], origins=frozenset({"https://id.test", "https://one.test"}))

    service(fake).renew("account", grant_of("{{context.oauth.token.instance_url}}"), stale="old")

    assert fake.origins == {"https://id.test", "https://one.test", "https://two.test"}


def test_a_client_and_a_refresh_token_go_to_no_other_endpoint_than_they_were_given_for() -> None:
    fake = FakeCredentials(origins=frozenset({"https://other.test", "https://up.test"}))

    with pytest.raises(SourceError, match="another origin") as caught:
        service(fake).renew("account", grant_of("https://up.test"), stale="old")

    assert (caught.value.code, fake.asked) == ("origin_changed", 0)


def test_a_token_that_somebody_has_renewed_is_taken_without_asking() -> None:
    fake = FakeCredentials(stored=context("theirs"))

    assert (merge_token(fake), fake.asked) == ("theirs", 0)


def test_a_dead_grant_is_no_fault_when_another_token_is_there_by_then() -> None:
    fake = FakeCredentials(answers=[InvalidGrantError("invalid_grant")], while_asked=context("theirs"))

    assert merge_token(fake) == "theirs"


def test_a_dead_grant_is_told() -> None:
    with pytest.raises(InvalidGrantError, match="invalid_grant"):
        merge_token(FakeCredentials(answers=[InvalidGrantError("invalid_grant")]))


def test_a_token_that_can_not_be_stored_is_stored_later() -> None:
    fake = FakeCredentials(failing_writes=3)

    assert merge_token(fake) == "new"
    assert oauth.find_access_token(fake.stored) == "new"
    assert fake.pauses == [1.0, 2.0, 3.0]


def test_a_token_that_comes_late_does_not_replace_another_one() -> None:
    fake = FakeCredentials(failing_writes=1, while_asked=context("theirs"))

    assert merge_token(fake) == "new"
    assert oauth.find_access_token(fake.stored) == "theirs"


def test_a_token_that_can_never_be_stored_is_an_error_that_passes() -> None:
    with pytest.raises(SourceError, match="could not be stored") as caught:
        merge_token(FakeCredentials(failing_writes=9))

    assert caught.value.retryable


def test_a_refusal_that_is_no_news_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    service(FakeCredentials(is_refused=True)).refuse("account", token="old", reason="401", run_id="run")

    assert caplog.records == []


def test_a_refusal_is_announced_without_the_credentials(caplog: pytest.LogCaptureFixture) -> None:
    fake = FakeCredentials()

    service(fake).refuse("account", token="old", reason="answered 401", run_id="run")

    (event,) = fake.announced
    assert (event.event, event.webhook_id) == ("integrated_account:authentication_error", "webhook")
    assert b'"last_error":"answered 401"' in event.body
    assert b"canary" not in event.body
    assert [record.message for record in caplog.records] == ["an account needs to be connected anew"]


def test_success_of_another_call_does_not_end_a_refusal_at_once() -> None:
    fake = FakeCredentials(is_refused=True)

    assert not service(fake).accept("account", token="old", call="tickets.list")
    assert not service(fake).accept("account", token="another", call="users.list")
    assert service(fake).accept("account", token="old", call="users.list")
    assert not fake.is_refused
