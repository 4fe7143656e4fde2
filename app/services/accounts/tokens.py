"""Tokens of one integrated account, for those whose account it is: sealed, short-lived, and kept nowhere.

A token holds the account and its end, encrypted by a data key, so that nobody can make or change one; a retired key
outlives every token that it has sealed.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from app.engine.errors import Failure, InvalidInputError, UnauthorizedError, UnreadableSecretError
from app.engine.json_types import JSON
from app.engine.objects.environments import EnvironmentId
from app.services.ports import AccountReader, Clock, Seal, SealPurpose

LIFE: Final = timedelta(minutes=15)
_PREFIX: Final = "fria_"
_SECRET: Final = re.compile(r"fria_([A-Za-z0-9_.=-]{1,1000})")
# In the format before, which knows no purpose: what else is sealed is an object or a text.
_KIND: Final = "integrated account token"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountToken:
    """Whose API its holder may call."""

    environment_id: EnvironmentId
    account_id: str


class AccountTokens:
    """Makes and opens the tokens."""

    def __init__(self, accounts: AccountReader, seal: Seal, clock: Clock) -> None:
        self._accounts = accounts
        self._seal = seal
        self._clock = clock

    def issue(self, environment_id: EnvironmentId, account_id: str) -> str:
        """Make a token of an account; raise InvalidInputError when there is no such account."""
        account = self._accounts.get(environment_id, account_id)
        if account is None:
            message = f"integrated account '{account_id}' does not exist"
            raise InvalidInputError([Failure("integrated_account_id", message, missing_reference=True)])
        ends_at = (self._clock.now() + LIFE).timestamp()
        sealed = self._seal.seal([_KIND, account.environment_id, account.id, ends_at], SealPurpose.ACCOUNT_TOKEN)
        # Without ":", which no bearer token may hold.
        return _PREFIX + sealed.decode().replace(":", ".")

    def opened(self, secret: str) -> AccountToken | None:
        """Return whose token a secret is; None when it is of another kind, UnauthorizedError when it opens nothing."""
        if not secret.startswith(_PREFIX):
            return None
        match self._content(secret):
            case [str(kind), str(environment_id), str(account_id), float(ends_at)] if kind == _KIND:
                if self._clock.now().timestamp() < ends_at:
                    return AccountToken(environment_id=EnvironmentId(environment_id), account_id=account_id)
                raise UnauthorizedError(
                    "this token of an integrated account has expired: "
                    "make another one by POST /integrated-account/token"
                )
        raise UnauthorizedError

    def _content(self, secret: str) -> JSON:
        matched = _SECRET.fullmatch(secret)
        if matched is None:
            return None
        try:
            return self._seal.open(matched[1].replace(".", ":").encode(), SealPurpose.ACCOUNT_TOKEN)
        except (UnreadableSecretError, ValueError):
            return None
