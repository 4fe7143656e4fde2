"""What integrations offer: tools, capabilities, unified APIs."""

from typing import Any, Final

from marshmallow import Schema, fields, validate

from app.api.schemas.fields import Flag, Id, JsonObjectField, Query, page_of
from app.api.schemas.json_kinds import MAY_LACK
from app.engine.integrations.capabilities import Surface

_METHODS: Final = "Names of methods, or `read`, `write`, `custom`, separated by commas."
_DESCRIBED: Final[dict[str, Any]] = {"description": _METHODS}


class ToolQuery(Query):
    """Which tools to show."""

    methods = fields.String(metadata=_DESCRIBED)
    methods_in = fields.String(data_key="methods[in]")
    tags = fields.String(metadata={"description": "Tags of the config's `tool_tags`, separated by commas."})
    tags_in = fields.String(data_key="tags[in]")


class Tool(Schema):
    """One method of an integration, described as a tool for an AI agent."""

    name = fields.String(required=True)
    description = fields.String(required=True)
    resource = fields.String(required=True)
    method = fields.String(required=True)
    query_schema = JsonObjectField(required=True, metadata={"description": "`id` in it is the one of the path."})
    body_schema = fields.Raw()
    required = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "The required parameters and fields of the query and the body."},
    )
    tags = fields.List(fields.String())


class CapabilityQuery(Query):
    """Which capabilities to show."""

    type = fields.String(
        validate=validate.OneOf([*Surface], error="expected {choices}"), metadata={"description": "all by default."}
    )
    methods = fields.String(metadata=_DESCRIBED)
    methods_in = fields.String(data_key="methods[in]")
    resource = fields.String()
    has_description = Flag(metadata={"description": "true: only methods with a description in the config."})


class OfferedIntegration(Schema):
    """The integration whose capabilities are shown."""

    id = Id(required=True)
    name = fields.String(required=True)
    label = fields.String(required=True, metadata={"description": "The config's label, or the name."})
    category = fields.String(allow_none=True)


class ProxyMethod(Schema):
    """A method of the config, called by `/proxy/{resource}`; a custom one by `POST /proxy/{resource}/{method}`."""

    method = fields.String(required=True)
    name = fields.String(required=True, metadata={"description": "The name of its tool."})
    description = fields.String(allow_none=True)
    has_description = fields.Boolean(required=True)
    has_query_schema = fields.Boolean(required=True)
    has_body_schema = fields.Boolean(required=True)
    has_response_schema = fields.Boolean(required=True)
    api_documentation_url = fields.String(allow_none=True)


class ProxyResource(Schema):
    """A resource of the config."""

    resource = fields.String(required=True)
    methods = fields.List(fields.Nested(ProxyMethod), required=True)


class UnifiedResource(Schema):
    """A resource of a unified model, called by `/unified/{model}/{resource}`."""

    model = fields.String(required=True)
    model_label = fields.String(required=True)
    resource = fields.String(required=True)
    description = fields.String(allow_none=True)
    docs_url = fields.String(allow_none=True)
    methods = fields.List(fields.String(), required=True)
    env_overridden = fields.Boolean(
        metadata={
            MAY_LACK: True,
            "description": "Of accounts: something is laid over a mapping by the environment or the account.",
        }
    )


class AuthField(Schema):
    """A field that a form asks a customer for."""

    name = fields.String(required=True)
    label = fields.Raw(metadata={MAY_LACK: True})
    type = fields.Raw(metadata={MAY_LACK: True})
    required = fields.Raw(metadata={MAY_LACK: True})
    format = fields.Raw(metadata={MAY_LACK: True})
    placeholder = fields.Raw(metadata={MAY_LACK: True})
    help_text = fields.Raw(metadata={MAY_LACK: True})


# A class body can not define a field with the name of marshmallow's module.
Auth = Schema.from_dict(
    {
        "formats": fields.List(fields.String(), required=True),
        "fields": fields.List(fields.Nested(AuthField), required=True),
        "documentation_link": fields.String(metadata={MAY_LACK: True}),
    },
    name="Auth",
)


class Readiness(Schema):
    """How many methods describe themselves for an agent."""

    proxy_methods = fields.Integer(required=True)
    proxy_methods_with_descriptions = fields.Integer(required=True)
    ai_ready_score = fields.Float(required=True, metadata={"description": "Their share, from 0 to 1."})


class OfferedAccount(Schema):
    """The account whose capabilities are shown."""

    id = Id(required=True)
    status = fields.String(required=True)
    authentication_method = fields.String(required=True)
    is_blocked = fields.Boolean(required=True, metadata={"description": "It is inactive: calls are refused."})


class Capabilities(Schema):
    """The callable methods of an integration or an account."""

    integration = fields.Nested(OfferedIntegration, required=True)
    environment_id = Id(metadata={MAY_LACK: True, "description": "Of an account's."})
    proxy = fields.List(fields.Nested(ProxyResource), required=True)
    unified = fields.List(fields.Nested(UnifiedResource), required=True)
    auth = fields.Nested(Auth, required=True)
    ai_readiness = fields.Nested(Readiness, required=True)
    account = fields.Nested(OfferedAccount, metadata={MAY_LACK: True, "description": "Of an account's."})


class UnifiedApi(Schema):
    """A unified model of which something is mapped."""

    unified_model_id = Id(required=True)
    name = fields.String(required=True)
    category = fields.String(allow_none=True)
    resources = JsonObjectField(required=True, metadata={"description": "`{resource: {methods: [...]}}`"})


# Created once: two schemas of one name would be two in the document.
ToolPage = page_of(Tool)
UnifiedApiPage = page_of(UnifiedApi)
