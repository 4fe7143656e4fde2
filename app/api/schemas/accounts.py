"""What is done to integrated accounts beside creating and changing them."""

from typing import Final

from marshmallow import fields, validate

from app.api.schemas.catalog import Account
from app.api.schemas.fields import Id, Input, JsonObjectField, Query
from app.api.schemas.warned import Warned

MOST_AT_ONCE: Final = 1000


_ERASE: Final = {"description": "Erase all that is held of it at once, which can not be undone."}


class Deletion(Query):
    """How an account is to be deleted."""

    erase = fields.Boolean(load_default=False, metadata=_ERASE)


class AccountTokenRequest(Input):
    """The account that a token is made of."""

    integrated_account_id = Id(required=True)


class AccountToken(Warned):
    """A token of one account, which lives for 15 minutes."""

    integrated_account_token = fields.String(required=True)


class AccountCredentials(Input):
    """New credentials of an account, merged into its context."""

    context = JsonObjectField(required=True)
    authentication_method = fields.String(validate=validate.Length(min=1, max=1000))


class OwnAccountPatch(Input):
    """What the holder of an account may change of it."""

    context = JsonObjectField(
        required=True, metadata={"description": "Values of the fields that its integration's credentials ask for."}
    )


class AccountIds(Input):
    """Accounts to remove: all of the ``ids`` or none, or those of a tenant, or those that a query finds."""

    ids = fields.List(Id(), validate=validate.Length(1, MOST_AT_ONCE, error=f"expected 1 to {MOST_AT_ONCE} ids"))
    tenant_id = fields.String(validate=validate.Length(min=1, max=1000))
    query = JsonObjectField(
        metadata={
            "description": "Filters of the list of accounts: tenant_id, status, integration.name or integration_name, "
            "each a text or {eq}, {ne} or {in}.",
        }
    )
    dry_run = fields.Boolean(load_default=False, metadata={"description": "Find them only, and remove none."})
    erase = fields.Boolean(load_default=False, metadata=_ERASE)


class DeletedAccounts(Warned):
    """The accounts that were removed."""

    success = fields.Boolean(required=True)
    ids = fields.List(Id(), required=True)
    matched_count = fields.Integer(
        required=True, metadata={"description": f"{MOST_AT_ONCE} at most: then there may be more, so ask again."}
    )
    deleted_count = fields.Integer(required=True)


class RefreshedAccount(Account):
    """An account whose token was renewed."""

    success = fields.Boolean(required=True)


class AccountAction(Input):
    """The account whose actions are meant."""

    id = Id(required=True)
