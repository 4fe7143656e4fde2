"""Integrated accounts: their credentials, tokens, rate budgets and deletion."""

from collections.abc import Set
from typing import Any, ClassVar, Final

from marshmallow import Schema, fields, pre_load, validate

from app.api.schemas.fields import (
    TEXT,
    Flag,
    Id,
    Input,
    JsonObjectField,
    Query,
    Reasons,
    Shapes,
    SortedListing,
    Time,
    make_list_query,
)
from app.api.schemas.integrations import EmbeddedInstallation, EmbeddedIntegration
from app.api.schemas.json_kinds import MAY_LACK
from app.api.schemas.save_warnings import Warned
from app.engine.json_types import JsonObject
from app.engine.known_keys.of_integrations import INTEGRATION
from app.engine.known_keys.of_unified import OVERRIDES
from app.engine.status import AccountStatus
from app.services.accounts.deletion import MOST_AT_ONCE

_ERASE: Final = {"description": "Erase all its data at once, which can not be undone."}
_FEATURE: Final = "features.super_query"
_OF_FEATURES: Final = ("features.", "features[")
FEATURE: Final = "features_dot_super_query"
IS_SANDBOX: Final = "is_sandbox"


class AccountPatch(Input):
    """A change of an integrated account; its context is merged at the top level."""

    SHAPES: ClassVar[Shapes] = {"integration_override": INTEGRATION, "unified_model_override": OVERRIDES}
    NOT_SERVED: ClassVar[Reasons] = {
        "region": "everything is in this installation's own database",
        "is_sandbox": "every account is called as the others are",
        "object_store_context_fields": "the whole context is in Postgres",
    }

    tenant_id = fields.String(validate=TEXT)
    authentication_method = fields.String(validate=TEXT)
    context = JsonObjectField()
    status = fields.String(
        metadata={
            "enum": [*AccountStatus],
            "description": "inactive stops all calls of its API, active resumes them; the present one is accepted.",
        }
    )
    unified_model_override = JsonObjectField(
        metadata={
            "component": "MappingOverrides",
            "description": "`{model: {resource: {method: mapping}}}`, laid over the integration's mappings.",
        }
    )
    integration_override = JsonObjectField(
        metadata={
            "component": "IntegrationConfigChange",
            "description": "Laid over the integration's config as this account's environment uses it.",
        }
    )


class NewAccount(AccountPatch):
    """An integrated account to create; its integration is named, or chosen by the environment's installation."""

    integration_name = fields.String(validate=TEXT)
    environment_integration_id = Id(metadata={"description": "Instead of integration_name."})
    tenant_id = fields.String(required=True, validate=TEXT)


class ForbiddenError(Schema):
    """A call that the account's API answered with 403."""

    resource = fields.String()
    method = fields.String()
    missing_scopes = fields.List(fields.String())
    occurred_at = fields.String()


class Account(Warned):
    """An integrated account; its credentials are masked."""

    id = Id()
    tenant_id = fields.String()
    integration_id = Id()
    integration_name = fields.String()
    integration = fields.Nested(EmbeddedIntegration)
    environment_integration_id = Id(
        allow_none=True, metadata={"description": "null where the environment uses the integration as it is."}
    )
    environment_integration = fields.Nested(
        EmbeddedInstallation,
        allow_none=True,
        metadata={MAY_LACK: True, "description": "Not in what an account's own token is shown."},
    )
    authentication_method = fields.String()
    is_sandbox = fields.Boolean(metadata={"description": "false: there are no sandbox accounts."})
    status = fields.String(
        metadata={
            "enum": [*AccountStatus],
            "description": "inactive: its API is not called until it is active again; runs wait.",
        }
    )
    last_error = fields.String(allow_none=True)
    last_forbidden_error = fields.Nested(
        ForbiddenError, allow_none=True, metadata={"description": "The last call that was answered 403."}
    )
    context = JsonObjectField()
    unified_model_override = JsonObjectField(metadata={"component": "MappingOverrides"})
    integration_override = JsonObjectField(metadata={"component": "IntegrationConfigChange"})
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


class AccountListing(SortedListing):
    """A list that takes any ``features.name=value``, as ``features[name]=value`` too: no account has one."""

    @classmethod
    def spellings(cls, names: Set[str]) -> Set[str]:
        """Add the spelling of nested objects."""
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
AccountQuery = make_list_query(
    "AccountQuery",
    _account_filters,
    listing=AccountListing,
    sorts=("updated_at", "tenant_id", "integration_name"),
)


class Deletion(Query):
    """How to delete an account."""

    erase = Flag(load_default=False, metadata=_ERASE)


class AccountTokenRequest(Input):
    """The account to create a token for."""

    integrated_account_id = Id(required=True)


class AccountToken(Warned):
    """A token of one account, which is valid for 15 minutes."""

    integrated_account_token = fields.String(required=True)


class AccountCredentials(Input):
    """New credentials of an account, merged into its context."""

    context = JsonObjectField(required=True)
    authentication_method = fields.String(validate=validate.Length(min=1, max=1000))


class OwnAccountPatch(Input):
    """What the holder of an account may change."""

    context = JsonObjectField(
        required=True, metadata={"description": "Values of the fields that its integration's credentials ask for."}
    )


class AccountIds(Input):
    """Accounts to remove: all of the ``ids`` or none, those of a tenant, or those that a query finds."""

    ids = fields.List(Id(), validate=validate.Length(1, MOST_AT_ONCE, error=f"expected 1 to {MOST_AT_ONCE} ids"))
    tenant_id = fields.String(validate=validate.Length(min=1, max=1000))
    query = JsonObjectField(
        metadata={
            "description": "Filters of the list of accounts: tenant_id, status, integration.name or integration_name, "
            "each a text or {eq}, {ne} or {in}.",
        }
    )
    dry_run = Flag(load_default=False, metadata={"description": "Find them without removing any."})
    erase = Flag(load_default=False, metadata=_ERASE)


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
    """The account to act on."""

    id = Id(required=True)


class AccountRefresh(AccountAction):
    """The account whose token is renewed."""


class BudgetQuota(Schema):
    """The requests that an upstream says remain."""

    left = fields.Integer()
    size = fields.Integer(allow_none=True)
    resets_at = Time()


class ParkedRun(Schema):
    """A run with units of work that sleep until their account takes requests again."""

    run_id = Id()
    units = fields.Integer()
    wakes_at = Time(metadata={"description": "When the first of them continues by itself."})


class AccountBudget(Schema):
    """What was learned of an account's limits, and which runs wait for them."""

    id = Id()
    is_shared = fields.Boolean(
        metadata={
            "description": "All daemons share it. Otherwise, without Redis, each has its own, which is not shown here."
        }
    )
    is_known = fields.Boolean(metadata={"description": "Something was learned from requests of the last hour."})
    is_reachable = fields.Boolean(
        metadata={"description": "false while Redis is unreachable; the waiting runs are known all the same."}
    )
    paused_until = Time(allow_none=True, metadata={"description": "No request is sent before."})
    requests_at_once = fields.Integer(allow_none=True)
    requests_per_second = fields.Float(allow_none=True, metadata={"description": "null: no pace was learned."})
    refusals_in_a_row = fields.Integer()
    under_way = fields.Integer(metadata={"description": "Requests that wait for their answer."})
    waiting = fields.Integer(metadata={"description": "Requests that wait in the daemons."})
    quota = fields.Nested(BudgetQuota, allow_none=True)
    parked_runs = fields.List(fields.Nested(ParkedRun))


class BudgetReset(Schema):
    """The result of a reset."""

    id = Id()
    runs = fields.List(fields.String(), metadata={"description": "The runs that waited for the account's limit."})
