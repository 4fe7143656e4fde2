"""What is done to integrated accounts beside creating and changing them."""

from typing import Final

from marshmallow import fields, validate

from app.api.schemas.fields import Id, Input, JsonObjectField, Query
from app.api.warned import Warned

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
    """Accounts to remove, all or none of them."""

    ids = fields.List(
        Id(),
        required=True,
        validate=validate.Length(1, MOST_AT_ONCE, error=f"expected 1 to {MOST_AT_ONCE} ids"),
    )
    erase = fields.Boolean(load_default=False, metadata=_ERASE)


class DeletedAccounts(Warned):
    """The accounts that were removed."""

    ids = fields.List(Id(), required=True)


class AccountAction(Input):
    """The account whose actions are meant."""

    id = Id(required=True)
