"""Templates of sync jobs."""

from typing import ClassVar, Final

from marshmallow import fields, validate

from app.api.schemas.catalog import RuntimeVersion
from app.api.schemas.documented import ARGS_SCHEMA, RESOURCE_LIST, STORED_RESOURCES
from app.api.schemas.fields import Id, Input, JsonObjectField, Reasons, Shapes, SortedListing, Time, narrowed
from app.api.schemas.warned import Warned
from app.engine.known_keys.of_items import ITEMS

_TEXT: Final = validate.Length(min=1, max=1000)


class TemplatePatch(Input):
    """A change of a template."""

    SHAPES: ClassVar[Shapes] = {"resources": ITEMS}
    NOT_SERVED: ClassVar[Reasons] = {"team_id": "there are environments, and no teams"}

    label = fields.String(validate=_TEXT)
    integration_name = fields.String(allow_none=True, validate=_TEXT)
    description = fields.String(allow_none=True)
    sharing = fields.String(validate=validate.OneOf(["deny", "ask", "allow"]))
    args_schema = fields.Raw(metadata=ARGS_SCHEMA)
    args_validation = fields.String(allow_none=True)
    resources = fields.Raw(metadata=RESOURCE_LIST)
    default_runtime_version = RuntimeVersion()


class NewTemplate(TemplatePatch):
    """A template to create."""

    label = fields.String(required=True, validate=_TEXT)


class Template(Warned):
    """A template."""

    id = Id()
    label = fields.String()
    integration_name = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    sharing = fields.String()
    args_schema = JsonObjectField()
    args_validation = fields.String(allow_none=True)
    resources = fields.Raw(metadata=STORED_RESOURCES)
    default_runtime_version = fields.Integer()
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


TemplateQuery = narrowed(
    SortedListing,
    "TemplateQuery",
    {"integration_name": fields.String(), "label": fields.String(), "environment_id": Id()},
    times=("created_at", "updated_at"),
    sorts=("updated_at", "label", "integration_name"),
)
