"""Tenants."""

from typing import Final

from marshmallow import Schema, fields, validate

from app.api.schemas.fields import UNCHANGEABLE, Id, Input, JsonObjectField, Time, make_list_query
from app.engine.objects.environments import TENANT_ID
from app.services.accounts.tenants import MOST_AT_ONCE

_NAME: Final = validate.Length(max=1000, error="expected 1000 characters at most")
_ID: Final = {"pattern": f"^{TENANT_ID.pattern}$", "description": "Yours: an account's `tenant_id`."}
_METADATA: Final = {"description": "Yours; sent anew, it is replaced whole."}


class TenantPatch(Input):
    """A change of a tenant."""

    id = fields.String(metadata=UNCHANGEABLE)
    name = fields.String(validate=validate.Length(1, 1000, error="expected 1 to 1000 characters"))
    metadata = JsonObjectField(metadata=_METADATA)


class NewTenant(Input):
    """A tenant to create."""

    id = fields.String(required=True, metadata=_ID)
    name = fields.String(validate=_NAME, metadata={"description": "The id by default."})
    metadata = JsonObjectField(metadata=_METADATA)


class NewTenants(Input):
    """Tenants to create; those that exist already are skipped."""

    tenants = fields.List(
        fields.Raw(
            metadata={
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": {"type": "string", **_ID},
                    "name": {"type": ["string", "null"], "maxLength": 1000},
                    "metadata": {"type": ["object", "null"]},
                },
                "additionalProperties": False,
            }
        ),
        required=True,
        validate=validate.Length(1, MOST_AT_ONCE, error=f"expected 1 to {MOST_AT_ONCE} tenants"),
    )


class Tenant(Schema):
    """A customer, whose accounts have its id as their `tenant_id`."""

    id = fields.String()
    environment_id = Id()
    name = fields.String()
    metadata = JsonObjectField()
    created_at = Time()
    updated_at = Time()


class SkippedTenant(Schema):
    """A tenant that was not created."""

    id = fields.String(required=True)
    reason = fields.String(required=True, metadata={"enum": ["already_exists"]})


class MadeTenants(Schema):
    """The tenants that were created, and those that were skipped."""

    created = fields.List(fields.Nested(Tenant), required=True)
    skipped = fields.List(fields.Nested(SkippedTenant), required=True)


TenantQuery = make_list_query(
    "TenantQuery",
    {"id": fields.String(), "name": fields.String(), "environment_id": Id()},
    sorts=("updated_at", "name"),
)
