"""Schemas of resources: the typed columns of their records."""

from marshmallow import Schema, fields, validate

from app.api.schemas.fields import Id, Input, JsonObjectField, Time, make_list_query
from app.engine.schemas.columns import ColumnType, SchemaPolicy
from app.engine.schemas.patching import COLUMN_KEYS

_TYPES = [kind.value for kind in ColumnType]
_POLICIES = [policy.value for policy in SchemaPolicy]
_POLICY = {
    "description": "What becomes of values that fit no column: columns are added, that is also announced, or none is.",
    "enum": _POLICIES,
}


class ResourceColumn(Schema):
    """A typed column of a resource's records."""

    name = fields.String(metadata={"description": "Its name in views, tables and files."})
    key = fields.String(metadata={"description": "Of the record, at its top level."})
    type = fields.String(metadata={"enum": _TYPES})
    is_declared = fields.Boolean(
        metadata={"description": "Its type was declared, not learned: it reads texts too, such as `12.50`."}
    )
    is_ignored = fields.Boolean(metadata={"description": "It stays where it was made, and is made nowhere else."})
    first_seen_at = Time(allow_none=True)
    last_seen_at = Time(allow_none=True, metadata={"description": "Exact to a minute."})


class SchemaChange(Schema):
    """An entry of a schema's history."""

    change = fields.String()
    column = fields.String(allow_none=True)
    details = JsonObjectField()
    created_at = Time()


class ResourceSchema(Schema):
    """The typed columns of one resource of an integration."""

    id = Id()
    environment_id = Id()
    integration_name = fields.String()
    resource = fields.String()
    policy = fields.String(metadata=_POLICY)
    columns = fields.List(fields.Nested(ResourceColumn), metadata={"description": "In their order; none ever goes."})
    left_out = fields.Integer(
        metadata={"description": "At least so many keys have no column, as there are as many as there may be."}
    )
    version = fields.Integer(metadata={"description": "Counts up with each change."})
    view = fields.String(
        allow_none=True, metadata={"description": "The view that shows its records, in Ferryman's database."}
    )
    view_error = fields.String(allow_none=True, metadata={"description": "Why the view does not show all columns."})
    reader = fields.String(
        allow_none=True, metadata={"description": "The role of Postgres that may read the environment's views."}
    )
    reader_error = fields.String(allow_none=True, metadata={"description": "Why there is no such role."})
    history = fields.List(
        fields.Nested(SchemaChange), metadata={"description": "The last 100 changes, the newest first."}
    )
    created_at = Time()
    updated_at = Time()


class ResourceSchemaPatch(Input):
    """A change of a schema."""

    policy = fields.String(
        validate=validate.OneOf(_POLICIES, error=f"expected one of {', '.join(_POLICIES)}"), metadata=_POLICY
    )
    columns = fields.List(
        fields.Raw(
            metadata={
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "description": "The column that is meant."},
                    "new_name": {
                        "type": "string",
                        "description": "Adds a column of this name; the present one stays where it is used.",
                    },
                    "type": {
                        "type": "string",
                        "enum": _TYPES,
                        "description": "Adds a column of this type, which reads texts too.",
                    },
                    "is_ignored": {"type": "boolean"},
                },
                "additionalProperties": False,
            }
        ),
        metadata={"description": f"Columns to change, each by {', '.join(f'`{key}`' for key in COLUMN_KEYS)}."},
    )


ResourceSchemaQuery = make_list_query(
    "ResourceSchemaQuery",
    {"resource": fields.String(), "integration_name": fields.String(), "environment_id": Id()},
    sorts=("updated_at", "resource"),
)
