"""Tokens of one integrated account, for its holder: encrypted, short-lived, and not stored.

A token holds the account's id and an expiry time, encrypted by a data key, so that nobody can forge or change one; a
retired key is kept longer than any token that it has encrypted is valid.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from app.engine.errors import InvalidInputError, UnauthorizedError, UnreadableSecretError
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.times import format_utc
from app.services.accounts.ports import KIND
from app.services.calls.ports import Seal, SealPurpose
from app.services.crud import Reader, missing_reference
from app.services.ports import Clock

LIFE: Final = timedelta(minutes=15)
_PREFIX: Final = "fria_"
_SECRET: Final = re.compile(r"fria_([A-Za-z0-9_.=-]{1,1000})")
# Distinguishes tokens from other values that are encrypted without a purpose, which are objects or texts.
_KIND: Final = "integrated account token"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountToken:
    """The account whose API the holder may call."""

    environment_id: EnvironmentId
    account_id: str


class AccountTokens:
    """Issues and decrypts the tokens."""

    def __init__(
        self,
        accounts: Reader[IntegratedAccount],
        seal: Seal,
        clock: Clock,
        note_issued: Callable[[str, JsonObject], None],
    ) -> None:
        """``note_issued`` records that a token of an account was issued, and until when it is valid."""
        self._note_issued = note_issued
        self._accounts = accounts
        self._seal = seal
        self._clock = clock

    def issue(self, environment_id: EnvironmentId, account_id: str) -> str:
        """Create a token of an account; raise InvalidInputError when the account does not exist."""
        account = self._accounts.get(environment_id, account_id)
        if account is None:
            raise InvalidInputError([missing_reference("integrated_account_id", KIND, account_id)])
        ends_at = self._clock.now() + LIFE
        content: JSON = [_KIND, account.environment_id, account.id, ends_at.timestamp()]
        sealed = self._seal.seal(content, SealPurpose.ACCOUNT_TOKEN)
        self._note_issued(account.id, {"expires_at": format_utc(ends_at)})
        # Without ":", which no bearer token may hold.
        return _PREFIX + sealed.decode().replace(":", ".")

    def open(self, secret: str) -> AccountToken | None:
        """Return the token that a secret encodes; None for another kind of secret, UnauthorizedError if invalid."""
        if not secret.startswith(_PREFIX):
            return None
        match self._decrypt(secret):
            case [str(kind), str(environment_id), str(account_id), float(ends_at)] if kind == _KIND:
                if self._clock.now().timestamp() < ends_at:
                    return AccountToken(environment_id=EnvironmentId(environment_id), account_id=account_id)
                raise UnauthorizedError(
                    "this token of an integrated account has expired: "
                    "make another one by POST /integrated-account/token"
                )
        raise UnauthorizedError

    def _decrypt(self, secret: str) -> JSON:
        matched = _SECRET.fullmatch(secret)
        if matched is None:
            return None
        try:
            return self._seal.open(matched[1].replace(".", ":").encode(), SealPurpose.ACCOUNT_TOKEN)
        except (UnreadableSecretError, ValueError):
            return None
