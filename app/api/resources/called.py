"""Which account a direct call is for: the one that its query names, or that its token is of."""

from typing import Final

from app.api.resources.services import own_account
from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.ids import parse_id
from app.engine.json_types import JsonObject

ACCOUNT: Final = "integrated_account_id"


def taken_account(query: JsonObject) -> str:
    """Take the account out of a query; for the token of an account, no other one exists."""
    asked = query.pop(ACCOUNT, "")
    if not isinstance(asked, str):
        raise InvalidInputError([Failure(ACCOUNT, "expected one UUID")])
    own = own_account()
    if own is None:
        return asked
    if asked and parse_id(asked) != own:
        raise NotFoundError("integrated account", asked[:100])
    return own
