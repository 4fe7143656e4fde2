"""Answers of direct calls to accounts' APIs."""

from typing import Any, Final

from marshmallow import INCLUDE, Schema, fields, post_dump

from app.api.schemas.json_kinds import MAY_LACK
from app.engine.json_types import JsonObject


class RecordFault(Schema):
    """A record that could not be mapped."""

    code = fields.String()
    message = fields.String()
    record_id = fields.String(allow_none=True)


class DirectList(Schema):
    """A page of records."""

    result = fields.List(fields.Raw(), required=True)
    next_cursor = fields.String(allow_none=True, required=True)
    prev_cursor = fields.String(allow_none=True)
    limit = fields.Integer(allow_none=True)
    result_count = fields.Integer(required=True)
    is_partial_response = fields.Boolean(
        required=True,
        metadata={"description": "Some records could not be mapped, as `errors` shows, or the mapping reports it."},
    )
    errors = fields.List(fields.Nested(RecordFault), metadata={MAY_LACK: True, "description": "Where there are some."})


class AnyAnswer(Schema):
    """A record of any fields."""

    class Meta:
        """Marshmallow's options."""

        unknown = INCLUDE

    @post_dump(pass_original=True)
    def _whole(self, _: JsonObject, record: JsonObject, **__: Any) -> JsonObject:
        return record


class CalledMethod(Schema):
    """The called method of an integration; null where an expression chooses it for each call."""

    resource = fields.String(allow_none=True)
    method = fields.String(allow_none=True)


class MethodMeta(Schema):
    """One method of a unified model as one account has it."""

    unified_model = fields.String(required=True)
    resource = fields.String(required=True)
    method = fields.String(required=True)
    integration_name = fields.String(required=True)
    description = fields.String(allow_none=True)
    response_schema = fields.Raw(metadata={"description": "The JSON Schema of the model's records."})
    query_schema = fields.Raw()
    request_body_schema = fields.Raw()
    response_mapping = fields.String(allow_none=True, metadata={"description": "With all layers merged."})
    default_query = fields.Raw(metadata={"description": "Sent with each request."})
    default_body = fields.Raw()
    integration = fields.Nested(CalledMethod, required=True)


class CustomResult(Schema):
    """The result of a custom method."""

    result = fields.Raw(required=True)


class DeletedRecord(Schema):
    """The removed record."""

    id = fields.String(required=True)


_QUERY: Final[list[dict[str, Any]]] = [
    {
        "name": "integrated_account_id",
        "in": "query",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
        "description": "The account whose API is called; optional with the account's own token.",
    },
    {
        "name": "truto_ignore_remote_data",
        "in": "query",
        "schema": {"type": "boolean"},
        "description": "false: each record has `remote_data`, the API's own record.",
    },
    {
        "name": "truto_exclude_fields",
        "in": "query",
        "schema": {"type": "string"},
        "description": "Fields to leave out.",
    },
]
PAGED: Final[dict[str, Any]] = {
    "parameters": [
        *_QUERY,
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 1000}},
        {"name": "next_cursor", "in": "query", "schema": {"type": "string"}},
    ]
}
CALLED: Final[dict[str, Any]] = {"parameters": _QUERY}
SENT: Final[dict[str, Any]] = {
    "parameters": _QUERY,
    "requestBody": {"content": {"application/json": {"schema": {"type": "object", "additionalProperties": {}}}}},
}
_FILE: Final = {"schema": {"type": "string", "format": "binary"}}
_PASSTHROUGH: Final[dict[str, Any]] = {
    "name": "truto_body_passthrough",
    "in": "query",
    "schema": {"type": "boolean"},
    "description": "true: the body is sent unchanged, even JSON; false: it is parsed as JSON, whatever its type.",
}
FILE_ANSWER: Final[dict[str, Any]] = {"200": {"content": {"application/octet-stream": _FILE}}}
CREATED_FILE: Final[dict[str, Any]] = {"201": {"content": {"application/octet-stream": _FILE}}}
SENT_TO_PROXY: Final[dict[str, Any]] = {
    "parameters": [*_QUERY[:1], _PASSTHROUGH],
    "requestBody": {
        "content": {
            "application/json": {"schema": {}},
            "multipart/form-data": {"schema": {"type": "object", "additionalProperties": {}}},
            "application/octet-stream": _FILE,
        }
    },
}
SENT_AS_IT_IS: Final[dict[str, Any]] = {
    "parameters": [*_QUERY[:1], _PASSTHROUGH],
    "requestBody": {"content": SENT_TO_PROXY["requestBody"]["content"]},
}
ASKED_AS_IT_IS: Final[dict[str, Any]] = {"parameters": _QUERY[:1]}
