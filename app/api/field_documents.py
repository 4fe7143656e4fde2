"""What OpenAPI documents say of fields beyond what marshmallow's own plugin makes of them."""

from typing import Any

from flask_smorest import Api
from marshmallow import fields

from app.api.schemas.fields import Input, Query
from app.engine.json_types import JsonObject


def complete(api: Api) -> None:
    """Have the document tell which values of requests mean that nothing is there."""
    converter = api.ma_plugin.converter
    converter.add_attribute_function(_absent_values)
    converter.add_parameter_attribute_function(_empty_parameters)


def _absent_values(_: Any, field: fields.Field[Any], ret: JsonObject, **__: Any) -> JsonObject:
    """Let null, and where a schema takes it so the empty text, stand for a body's field that is not there."""
    schema = field.parent
    if not isinstance(schema, Input) or isinstance(schema, Query) or field.required:
        return {}
    absent = [None, ""] if schema.EMPTY_IS_ABSENT else [None]
    described = {name: ret.pop(name) for name in list(ret) if name not in ("description", "title", "default")}
    if not described:
        return {}
    return {"anyOf": [described, {"enum": absent}]}


def _empty_parameters(_: Any, field: fields.Field[Any], ret: JsonObject, **__: Any) -> JsonObject:
    """Let an empty parameter of a query stand for one that is not there."""
    return {} if field.required or ret["in"] != "query" else {"allowEmptyValue": True}
