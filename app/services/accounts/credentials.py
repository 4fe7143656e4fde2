"""Keep accounts' OAuth tokens fresh: one renewal for all who need it, in however many processes they are.

Whoever needs a new token locks the account's row and looks whether somebody else has renewed it meanwhile. A renewal
that is lost with its process costs one more; a new token that can not be written at once is written later, as long as
nobody else has written another: some servers take the old one back at the first use of its refresh token.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from app.engine.accounts import oauth, secret_origins
from app.engine.accounts.oauth import TokenRequest
from app.engine.errors import StoreUnavailableError
from app.engine.integrations import token_answers
from app.engine.integrations.credentials import OAuthGrant
from app.engine.json_types import JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.record_errors import InvalidGrantError, SourceError
from app.engine.runs.work import EventDraft
from app.engine.times import format_utc
from app.engine.webhooks import events
from app.services.ports import Clock

logger = logging.getLogger(__name__)

_SAVE_ATTEMPTS: Final = 5
_SAVE_PAUSE_SECONDS: Final = 1.0
_QUIET_SECONDS: Final = 300.0
"""How long a refusal of one call weighs more than the success of another one."""

Announcement = Callable[[IntegratedAccount, Sequence[str]], Sequence[EventDraft]]
"""Makes the events that tell the webhooks of these ids of an account."""


class LockedCredentials(Protocol):
    """An account's context while its row is locked."""

    context: JsonObject
    origins: frozenset[str] | None
    """What its secrets were given for."""

    def write(self, context: JsonObject, origins: frozenset[str] | None = None) -> None:
        """Replace the context, and the origins unless they stay, in the transaction that holds the lock."""


class CredentialStore(Protocol):
    """Keeps the credentials of all accounts."""

    def locked(self, account_id: str) -> AbstractContextManager[LockedCredentials]:
        """Lock an account for the length of a ``with`` block; raise SourceError when it is gone."""

    def context(self, account_id: str) -> JsonObject:
        """Read an account's context; raise SourceError when it is gone."""

    def current(self, account_id: str) -> tuple[JsonObject, frozenset[str] | None]:
        """Read an account's context, and what its secrets were given for; raise SourceError when it is gone."""

    def refuse(self, account_id: str, *, token: str | None, reason: str, call: str, announce: Announcement) -> bool:
        """Note that an account has to be connected anew, if ``token`` is still its own; return whether that is news.

        With the note, the events of ``announce`` are queued, as events of no run.
        """

    def accept(self, account_id: str, *, token: str | None, call: str, quiet_seconds: float) -> bool:
        """Note that a call with ``token`` succeeded; return whether the account is as it should be.

        It stays refused while another call than this one was refused within ``quiet_seconds``, and until a token is
        renewed where none was to be had.
        """

    def note_forbidden(self, account_id: str, error: JsonObject) -> None:
        """Note the last call that was answered 403."""


class TokenEndpoint(Protocol):
    """Asks for tokens."""

    def ask(self, request: TokenRequest) -> JsonObject:
        """Return the answer; raise InvalidGrantError, or SourceError for anything else that is no token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialService:
    """The tokens of all accounts."""

    store: CredentialStore
    endpoint: TokenEndpoint
    clock: Clock
    pause: Callable[[float], None]

    def renew(self, account_id: str, grant: OAuthGrant, *, stale: str | None) -> JsonObject:
        """Return a context whose token is not ``stale``; raise InvalidGrantError when a person has to sign in again."""
        try:
            with self.store.locked(account_id) as account:
                if oauth.find_access_token(account.context) != stale:
                    return account.context
                fresh = self._asked(account, grant)
                self._write(account_id, account, fresh, _led_to(grant, account, fresh), stale=stale)
                return fresh
        except InvalidGrantError:
            # Somebody who did not wait for the lock may have been first, such as a person who has signed in again.
            context = self.store.context(account_id)
            if oauth.find_access_token(context) != stale:
                return context
            raise

    def current(self, account_id: str) -> tuple[JsonObject, frozenset[str] | None]:
        """Read an account's context, and the origins that go with it; raise SourceError when it is gone."""
        return self.store.current(account_id)

    def refuse(self, account_id: str, *, token: str | None, reason: str, run_id: str, call: str = "") -> None:
        """Note that the upstream refuses an account's credentials, and tell the environment's webhooks so."""
        announce = self._announcement(reason)
        is_news = self.store.refuse(account_id, token=token, reason=reason, call=call, announce=announce)
        if is_news:
            logger.warning("an account needs to be connected anew", extra={"account_id": account_id, "run_id": run_id})

    def accept(self, account_id: str, *, token: str | None, call: str) -> bool:
        """Note that a call succeeded; return whether the account no longer has to be connected anew.

        An upstream may refuse some calls and take others all the time: these do not end what those begin.
        """
        return self.store.accept(account_id, token=token, call=call, quiet_seconds=_QUIET_SECONDS)

    def forbid(self, account_id: str, *, resource: str, method: str, missing_scopes: Sequence[str]) -> None:
        """Note that the upstream does not let an account make a call; its credentials are good."""
        error = {
            "resource": resource,
            "method": method,
            "missing_scopes": list(missing_scopes),
            "occurred_at": format_utc(self.clock.now()),
        }
        self.store.note_forbidden(account_id, error)

    def _asked(self, account: LockedCredentials, grant: OAuthGrant) -> JsonObject:
        request = oauth.build_token_request(grant, account.context)
        secret_origins.check(account.origins, request.url)
        answer = self.endpoint.ask(request)
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
        """Write a token whose lock was lost, unless another one stands there by then."""
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


def _led_to(grant: OAuthGrant, account: LockedCredentials, fresh: JsonObject) -> frozenset[str] | None:
    """Return the origins of an account whose new token is for another one, as the token endpoint tells; else None."""
    before, after = (
        frozenset(secret_origins.list_address_origins(grant.base_urls, one)) for one in (account.context, fresh)
    )
    return None if account.origins is None or after <= before else account.origins | (after - before)
