"""Tokens of accounts: they open one account, for a quarter of an hour."""

import pytest

from app.engine.errors import InvalidInputError, UnauthorizedError
from app.engine.json_types import JSON
from app.services.accounts.tokens import AccountToken, AccountTokens
from app.services.calls.ports import SealPurpose
from tests.unit.services.service_fakes import FakeClock, PlainSeal
from tests.unit.services.service_tables import ELSEWHERE, ENVIRONMENT, FakeTable, account

CLOCK_AT = 1_772_366_400.0
"""The fake clock's noon."""


class LetterSeal(PlainSeal):
    """Seals into what a header may hold."""

    def seal(self, value: JSON, purpose: SealPurpose) -> bytes:
        return b"k2:1:" + super().seal(value, purpose).hex().encode()

    def open(self, sealed: bytes, purpose: SealPurpose) -> JSON:
        return super().open(bytes.fromhex(sealed.removeprefix(b"k2:1:").decode()), purpose)


def tokens(clock: FakeClock | None = None) -> AccountTokens:
    return AccountTokens(FakeTable(account, account()), LetterSeal(), clock or FakeClock(), lambda *_: None)


def sealed(content: JSON, purpose: SealPurpose = SealPurpose.ACCOUNT_TOKEN) -> str:
    return "fria_" + LetterSeal().seal(content, purpose).decode().replace(":", ".")


def test_token_opens_its_account_until_it_ends() -> None:
    clock = FakeClock()
    made = tokens(clock)

    secret = made.issue(ENVIRONMENT, "account")

    assert ":" not in secret
    clock.advance(15 * 60 - 1)
    assert made.open(secret) == AccountToken(environment_id=ENVIRONMENT, account_id="account")
    clock.advance(1)
    with pytest.raises(UnauthorizedError, match="has expired: make another one"):
        made.open(secret)


def test_token_of_another_kind_is_left_to_others() -> None:
    assert tokens().open("frm_x") is None


@pytest.mark.parametrize(
    "secret",
    [
        "fria_",
        "fria_no:colon",
        "fria_unsealed",
        "fria_6162",
        sealed({"account": "a"}),
        sealed(["integrated account token", "environment", "account"]),
        sealed(["another kind", "environment", "account", CLOCK_AT + 60]),
        sealed(["integrated account token", "environment", "account", CLOCK_AT + 60], SealPurpose.NEXT_CURSOR),
    ],
    ids=["empty", "colon", "no hex", "not sealed", "an object", "too short", "another kind", "another purpose"],
)
def test_what_was_not_made_here_opens_nothing(secret: str) -> None:
    with pytest.raises(UnauthorizedError, match="A valid API token is required"):
        tokens().open(secret)


def test_account_of_another_environment_gets_no_token() -> None:
    with pytest.raises(InvalidInputError, match="integrated_account_id: integrated account 'account' does not exist"):
        tokens().issue(ELSEWHERE, "account")
