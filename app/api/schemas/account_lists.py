"""What lists of accounts are narrowed by."""

from collections.abc import Set
from typing import Any, Final

from marshmallow import fields, pre_load

from app.api.schemas.fields import Flag, Id, SortedListing, narrowed
from app.engine.json_types import JsonObject

_FEATURE: Final = "features.super_query"
_OF_FEATURES: Final = ("features.", "features[")
FEATURE: Final = "features_dot_super_query"
IS_SANDBOX: Final = "is_sandbox"


class AccountListing(SortedListing):
    """A list that takes any ``features.name=value``, as ``features[name]=value`` too: no account has one."""

    @classmethod
    def spellings(cls, names: Set[str]) -> Set[str]:
        """Add that of nested objects."""
        return names | {"features[super_query]"}

    @pre_load
    def _as_one(self, data: JsonObject, **_: Any) -> JsonObject:
        return {_FEATURE if name.startswith(_OF_FEATURES) else name: value for name, value in data.items()}


_account_filters: dict[str, fields.Field[Any]] = {
    "tenant_id": fields.String(),
    "status": fields.String(),
    "integration_name": fields.String(),
    "integration_dot_name": fields.String(data_key="integration.name"),
    FEATURE: fields.String(data_key=_FEATURE, metadata={"description": "No account has it: the list is empty."}),
    IS_SANDBOX: Flag(metadata={"description": "No account is one: true lists nothing."}),
    "environment_id": Id(),
}
AccountQuery = narrowed(
    AccountListing,
    "AccountQuery",
    _account_filters,
    times=("created_at", "updated_at"),
    sorts=("updated_at", "tenant_id", "integration_name"),
)
