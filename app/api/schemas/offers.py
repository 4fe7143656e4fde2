"""What integrations offer: tools, capabilities, unified APIs."""

from typing import Any, Final

from marshmallow import Schema, fields, validate

from app.api.schemas.fields import Flag, Id, JsonObjectField, Query, page_of

_METHODS: Final = "Names of methods, or `read`, `write`, `custom`, parted by commas."
_DESCRIBED: Final[dict[str, Any]] = {"description": _METHODS}


class ToolQuery(Query):
    """Which tools are wanted."""

    methods = fields.String(metadata=_DESCRIBED)
    methods_in = fields.String(data_key="methods[in]")
    tags = fields.String(metadata={"description": "Tags of the config's `tool_tags`, parted by commas."})
    tags_in = fields.String(data_key="tags[in]")


class Tool(Schema):
    """One method of an integration, described as a tool for an AI agent."""

    name = fields.String(required=True)
    description = fields.String(required=True)
    resource = fields.String(required=True)
    method = fields.String(required=True)
    query_schema = JsonObjectField(required=True, metadata={"description": "`id` in it is the one of the path."})
    body_schema = fields.Raw()
    tags = fields.List(fields.String())


class CapabilityQuery(Query):
    """Which capabilities are wanted."""

    type = fields.String(validate=validate.OneOf(["proxy", "unified"], error="expected proxy or unified"))
    methods = fields.String(metadata=_DESCRIBED)
    methods_in = fields.String(data_key="methods[in]")
    resource = fields.String()
    has_description = Flag()


class Capability(Schema):
    """One method that can be called."""

    type = fields.String(required=True, metadata={"enum": ["proxy", "unified"]})
    unified_model = fields.String(allow_none=True)
    resource = fields.String(required=True)
    method = fields.String(required=True)
    description = fields.String(allow_none=True)


class UnifiedApi(Schema):
    """A unified model of which something is mapped."""

    unified_model_id = Id(required=True)
    name = fields.String(required=True)
    category = fields.String(allow_none=True)
    resources = JsonObjectField(required=True, metadata={"description": "`{resource: {methods: [...]}}`"})


# Made once: two schemas of one name would be two in the document.
ToolPage = page_of(Tool)
CapabilityPage = page_of(Capability)
UnifiedApiPage = page_of(UnifiedApi)
