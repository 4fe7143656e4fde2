"""Renew accounts' OAuth tokens: once for all processes that need a new one.

A process that needs a new token locks the account's row and checks whether another one has renewed it meanwhile. A
renewal that is lost with its process is repeated. A new token that can not be written at once is written later, unless
another one was written by then: some servers revoke the old token at the first use of its refresh token.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.engine.accounts import oauth, secret_origins
from app.engine.accounts.oauth import TokenRequest
from app.engine.errors import StoreUnavailableError
from app.engine.integrations import token_answers
from app.engine.integrations.credentials import OAuthGrant
from app.engine.json_types import JsonObject
from app.engine.record_errors import InvalidGrantError, SourceError
from app.engine.times import format_utc
from app.engine.webhooks import events
from app.services.accounts.ports import Announcement, CredentialStore, LockedCredentials
from app.services.ports import Clock

logger = logging.getLogger(__name__)

_SAVE_ATTEMPTS: Final = 5
_SAVE_PAUSE_SECONDS: Final = 1.0
_QUIET_SECONDS: Final = 300.0
"""How long the refusal of one call outweighs the success of another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialService:
    """The tokens of all accounts."""

    store: CredentialStore
    ask_for_token: Callable[[TokenRequest], JsonObject]
    """Returns the answer; raises InvalidGrantError, or SourceError for any other answer without a token."""
    clock: Clock
    pause: Callable[[float], None]

    def renew(self, account_id: str, grant: OAuthGrant, *, stale: str | None) -> JsonObject:
        """Return a context whose token is not ``stale``; raise InvalidGrantError when a person has to sign in again."""
        try:
            with self.store.locked(account_id) as account:
                if oauth.find_access_token(account.context) != stale:
                    return account.context
                fresh = self._request_token(account, grant)
                self._write(account_id, account, fresh, _added_origins(grant, account, fresh), stale=stale)
                return fresh
        except InvalidGrantError:
            # The context may have changed without the lock, such as by a person who has signed in again.
            context = self.store.context(account_id)
            if oauth.find_access_token(context) != stale:
                return context
            raise

    def current(self, account_id: str) -> tuple[JsonObject, frozenset[str] | None]:
        """Return an account's context, and where its secrets are sent; raise SourceError when it is gone."""
        return self.store.current(account_id)

    def refuse(self, account_id: str, *, token: str | None, reason: str, run_id: str, call: str = "") -> None:
        """Record that the upstream refuses an account's credentials, and announce it to the environment's webhooks."""
        announce = self._announcement(reason)
        is_news = self.store.refuse(account_id, token=token, reason=reason, call=call, announce=announce)
        if is_news:
            logger.warning("an account needs to be connected anew", extra={"account_id": account_id, "run_id": run_id})

    def accept(self, account_id: str, *, token: str | None, call: str) -> bool:
        """Record that a call succeeded; return whether the account no longer has to be connected anew.

        An upstream may always refuse some calls and accept others: the latter do not end the refusal.
        """
        return self.store.accept(account_id, token=token, call=call, quiet_seconds=_QUIET_SECONDS)

    def forbid(self, account_id: str, *, resource: str, method: str, missing_scopes: Sequence[str]) -> None:
        """Record that the upstream forbids an account a call; its credentials are valid."""
        error = {
            "resource": resource,
            "method": method,
            "missing_scopes": list(missing_scopes),
            "occurred_at": format_utc(self.clock.now()),
        }
        self.store.note_forbidden(account_id, error)

    def _request_token(self, account: LockedCredentials, grant: OAuthGrant) -> JsonObject:
        request = oauth.build_token_request(grant, account.context)
        secret_origins.check(account.origins, request.url)
        answer = self.ask_for_token(request)
        return oauth.merge_token(account.context, token_answers.read(answer, grant.answer), self.clock.now())

    def _write(
        self,
        account_id: str,
        account: LockedCredentials,
        fresh: JsonObject,
        origins: frozenset[str] | None,
        *,
        stale: str | None,
    ) -> None:
        try:
            account.write(fresh, origins)
        except StoreUnavailableError:
            self._write_later(account_id, fresh, origins, stale=stale)

    def _write_later(
        self, account_id: str, fresh: JsonObject, origins: frozenset[str] | None, *, stale: str | None
    ) -> None:
        """Write a token after its lock was lost, unless another one was written by then."""
        for attempt in range(_SAVE_ATTEMPTS):
            self.pause(_SAVE_PAUSE_SECONDS * (attempt + 1))
            try:
                with self.store.locked(account_id) as account:
                    if oauth.find_access_token(account.context) == stale:
                        account.write(fresh, origins)
                    return
            except StoreUnavailableError:
                continue
        raise SourceError("token_endpoint", "the new token could not be stored: the database is away", retryable=True)

    def _announcement(self, reason: str) -> Announcement:
        return lambda account, webhook_ids: events.draft_authentication_error(
            account, reason, to=webhook_ids, at=self.clock.now()
        )


def _added_origins(grant: OAuthGrant, account: LockedCredentials, fresh: JsonObject) -> frozenset[str] | None:
    """Return an account's origins with those that its new token adds; None when it adds none."""
    before, after = (
        frozenset(secret_origins.list_address_origins(grant.base_urls, one)) for one in (account.context, fresh)
    )
    return None if account.origins is None or after <= before else account.origins | (after - before)
