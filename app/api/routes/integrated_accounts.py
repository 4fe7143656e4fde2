"""``/integrated-account``."""

from dataclasses import asdict

from app.api.parsing import Body
from app.api.preconditions import seen
from app.api.resource import ANY_ERROR, Resource
from app.api.schemas.catalog import Account, AccountPatch, AccountQuery, AccountRefresh, NewAccount
from app.api.schemas.fields import Deleted, page_of
from app.api.services import environment, services
from app.api.views import Answer, created, filters_of, page_view, path_id
from app.engine.json_types import JsonObject
from app.engine.objects import IntegratedAccount
from app.engine.redaction import redacted, redacted_config
from app.engine.roles import Role

integrated_accounts = Resource(
    "integrated-account",
    description="Customers' accounts at third parties",
    changes=Role.ADMIN,
    actions=("refresh-credentials",),
)

_KIND = "integrated account"


@integrated_accounts.serves("POST", body=NewAccount, answer=Account, status=201)
def create_account(body: Body) -> Answer:
    """Create an integrated account."""
    return created(_view(services().accounts.create(environment(), body.fields, body.faults)))


@integrated_accounts.serves("GET", query=AccountQuery, answer=page_of(Account))
def list_accounts(query: JsonObject) -> Answer:
    """List integrated accounts, newest first."""
    filters = filters_of(query, renamed={"integration_dot_name": "integration_name"})
    return page_view(services().accounts.list(environment(), filters), _view)


@integrated_accounts.serves("POST", "/refresh-credentials", body=AccountRefresh, answer=Account, documented=ANY_ERROR)
def refresh_credentials(body: Body) -> Answer:
    """Renew an account's OAuth 2 token now; 401 when it has to be connected anew."""
    return _view(services().refreshing.refresh(environment(), body.checked()["id"]))


@integrated_accounts.serves("GET", "/<id>", answer=Account)
def get_account(id: str) -> Answer:
    """Show an integrated account."""
    return _view(services().accounts.get(environment(), path_id(_KIND, id)))


@integrated_accounts.serves("PATCH", "/<id>", body=AccountPatch, answer=Account)
def update_account(body: Body, id: str) -> Answer:
    """Change an integrated account: its context is merged at the top level, and masks that come back change nothing."""
    return _view(services().accounts.update(environment(), path_id(_KIND, id), body.fields, body.faults, seen=seen()))


@integrated_accounts.serves("DELETE", "/<id>", answer=Deleted)
def delete_account(id: str) -> Answer:
    """Remove an integrated account with its credentials; its runs stay."""
    return {"id": services().accounts.delete(environment(), path_id(_KIND, id), seen=seen())}


def _view(account: IntegratedAccount) -> JsonObject:
    masked = {
        "context": redacted(account.context),
        "integration_override": redacted_config(account.integration_override),
    }
    return {**asdict(account), **masked}
