"""``/integrated-account``."""

from dataclasses import asdict
from typing import Any

from flask_smorest import Blueprint

from app.api.schemas import catalog as schemas
from app.api.schemas.fields import Deleted, page_of
from app.api.services import environment, services
from app.api.views import created, deleted, filters_of, page, path_id
from app.engine.json_types import JsonObject
from app.engine.objects import IntegratedAccount
from app.engine.redaction import redacted

blueprint = Blueprint(
    "integrated-account", __name__, url_prefix="/integrated-account", description="Customers' accounts at third parties"
)

_KIND = "integrated account"


@blueprint.post("")
@blueprint.arguments(schemas.AccountInput, error_status_code=400)
@blueprint.response(201, schemas.Account)
def create_account(body: JsonObject) -> Any:
    """Create an integrated account."""
    account = services().accounts.create(environment(), body)
    return created(_view(account), account.id)


@blueprint.get("")
@blueprint.arguments(schemas.AccountQuery, location="query", error_status_code=400)
@blueprint.response(200, page_of(schemas.Account))
def list_accounts(query: JsonObject) -> Any:
    """List integrated accounts, newest first."""
    return page(services().accounts.list(environment(), filters_of(_named(query))), _view)


@blueprint.get("/<account_id>")
@blueprint.response(200, schemas.Account)
def get_account(account_id: str) -> Any:
    """Show an integrated account."""
    return _view(services().accounts.get(environment(), path_id(_KIND, account_id)))


@blueprint.patch("/<account_id>")
@blueprint.arguments(schemas.AccountPatch, error_status_code=400)
@blueprint.response(200, schemas.Account)
def update_account(body: JsonObject, account_id: str) -> Any:
    """Change an integrated account: its context is merged at the top level."""
    return _view(services().accounts.update(environment(), path_id(_KIND, account_id), body))


@blueprint.delete("/<account_id>")
@blueprint.response(200, Deleted)
def delete_account(account_id: str) -> Any:
    """Remove an integrated account."""
    return deleted(services().accounts.delete(environment(), path_id(_KIND, account_id)))


def _named(query: JsonObject) -> JsonObject:
    """Take ``integration.name`` for ``integration_name``."""
    dotted = query.pop("integration_dot_name", None)
    return query if dotted is None else {**query, "integration_name": dotted}


def _view(account: IntegratedAccount) -> JsonObject:
    return {**asdict(account), "context": redacted(account.context)}
