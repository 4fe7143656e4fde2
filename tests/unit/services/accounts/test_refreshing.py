"""A token is renewed by hand: for an account that is there, has a grant, and whose refresh token is alive."""

from dataclasses import dataclass, field, replace

import pytest

from app.engine.errors import InvalidInputError, NotFoundError
from app.engine.integrations.credentials import OAuthGrant
from app.engine.json_types import JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.record_errors import InvalidGrantError, SourceError
from app.services.accounts.refreshing import Refreshing
from tests.unit.services.service_tables import ENVIRONMENT, FakeTable, account, integration

OAUTH = {
    "client": {"id": "c", "secret": "s"},
    "auth": {"tokenHost": "https://up.test", "tokenPath": "/token"},
}
CONFIG: JsonObject = {"base_url": "https://up.test", "credentials": {"format": "oauth2", "config": OAUTH}}
CONTEXT: JsonObject = {"access_token": "old-token", "refresh_token": "refresh"}


@dataclass
class FakeKeeper:
    """Renews into the table of accounts, or refuses."""

    accounts: FakeTable[IntegratedAccount]
    is_dead: bool = False
    is_removed_meanwhile: bool = False
    refused: list[tuple[str, str | None, str]] = field(default_factory=list)

    def renew(self, account_id: str, grant: OAuthGrant, *, stale: str | None) -> JsonObject:
        if self.is_dead:
            raise InvalidGrantError("invalid_grant")
        fresh = {**CONTEXT, "access_token": f"not {stale}"}
        self.accounts.rows[account_id] = replace(self.accounts.rows[account_id], context=fresh)
        if self.is_removed_meanwhile:
            self.accounts.rows.clear()
        return fresh

    def refuse(self, account_id: str, *, token: str | None, reason: str, run_id: str) -> None:
        self.refused.append((account_id, token, run_id))


def refreshing(
    context: JsonObject = CONTEXT, config: JsonObject = CONFIG, **wishes: bool
) -> tuple[Refreshing, FakeKeeper]:
    accounts = FakeTable(account, account(context=context))
    keeper = FakeKeeper(accounts, **wishes)
    integrations = FakeTable(integration, integration(config=config))
    return Refreshing(accounts=accounts, integrations=integrations, renew=keeper.renew, refuse=keeper.refuse), keeper


def test_account_comes_back_with_a_token_that_is_not_the_old_one() -> None:
    here, _ = refreshing()

    assert here.refresh(ENVIRONMENT, "account").context["access_token"] == "not old-token"


def test_dead_refresh_token_is_noted_against_the_token_that_it_was_for() -> None:
    here, keeper = refreshing(is_dead=True)

    with pytest.raises(SourceError, match="connected anew") as raised:
        here.refresh(ENVIRONMENT, "account")

    assert (raised.value.code, raised.value.status) == ("needs_reauth", 401)
    assert keeper.refused == [("account", "old-token", "")]


def test_account_at_rest_is_not_renewed() -> None:
    here, keeper = refreshing()
    keeper.accounts.rows["account"] = account(context=CONTEXT, status="inactive")

    with pytest.raises(InvalidInputError, match="id: is inactive"):
        here.refresh(ENVIRONMENT, "account")


@pytest.mark.parametrize(
    ("context", "config", "path"),
    [({"api_key": "k"}, CONFIG, "id"), (CONTEXT, {"base_url": 3}, "integration.config.base_url")],
    ids=["no-grant", "no-config"],
)
def test_account_without_a_way_to_renew_is_told(context: JsonObject, config: JsonObject, path: str) -> None:
    here, _ = refreshing(context, config)

    with pytest.raises(InvalidInputError) as raised:
        here.refresh(ENVIRONMENT, "account")

    assert [failure.path for failure in raised.value.failures] == [path]


def test_account_that_is_not_there_or_goes_meanwhile_is_told() -> None:
    here, _ = refreshing(is_removed_meanwhile=True)

    with pytest.raises(InvalidInputError, match="does not exist"):
        here.refresh(ENVIRONMENT, "nobody")
    with pytest.raises(NotFoundError):
        here.refresh(ENVIRONMENT, "account")
