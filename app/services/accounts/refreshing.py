"""Renew an account's token on a user's request."""

from collections.abc import Callable
from http import HTTPStatus

from app.engine.accounts import oauth
from app.engine.errors import Failure, InvalidInputError
from app.engine.integrations.credentials import OAuthGrant
from app.engine.json_types import JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import Integration
from app.engine.record_errors import InvalidGrantError, SourceError
from app.services.accounts.ports import KIND
from app.services.calls.accounts import refuse_inactive
from app.services.contexts.account_configs import read_account_config
from app.services.crud import Reader, missing_reference, require


class Refreshing:
    """Renews tokens on request."""

    def __init__(
        self,
        *,
        accounts: Reader[IntegratedAccount],
        integrations: Reader[Integration],
        renew: Callable[..., JsonObject],
        refuse: Callable[..., object],
    ) -> None:
        """``renew`` and ``refuse`` are those of CredentialService."""
        self._accounts = accounts
        self._integrations = integrations
        self._renew = renew
        self._refuse = refuse

    def refresh(self, environment_id: EnvironmentId, account_id: str) -> IntegratedAccount:
        """Return the account with a new token.

        Raises InvalidInputError for an account that does not exist or whose token can not be renewed, and SourceError
        when the token endpoint returns none; an invalid refresh token leaves the account in ``needs_reauth``.
        """
        account = self._accounts.get(environment_id, account_id)
        if account is None:
            raise InvalidInputError([missing_reference("id", KIND, account_id)])
        refuse_inactive(account, "id")
        token = oauth.find_access_token(account.context)
        try:
            self._renew(account.id, self._grant(account), stale=token)
        except InvalidGrantError as error:
            self._refuse(account.id, token=token, reason=error.message, run_id="")
            message = f"integrated account '{account.id}' has to be connected anew: {error.message}"
            raise SourceError("needs_reauth", message, status=HTTPStatus.UNAUTHORIZED) from error
        return require(self._accounts.get(environment_id, account_id), KIND, account_id)

    def _grant(self, account: IntegratedAccount) -> OAuthGrant:
        grant = oauth.choose_grant(read_account_config(account, self._integrations).grants, account.context)
        if grant is None:
            message = "has no OAuth 2 token that could be renewed: neither a refresh token nor client credentials"
            raise InvalidInputError([Failure("id", message)])
        return grant
