"""The JSON Schemas of bodies and answers, beyond those of marshmallow's own plugin."""

from collections.abc import Mapping
from typing import Any, Final

from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields

from app.api.schemas.fields import Input, Query, Sparse
from app.api.schemas.json_kinds import COMPONENT, MAY_LACK, nullable, ref, spell_out
from app.engine.json_types import JsonObject

_PYTHON_END: Final = r"\Z"
"""The end of a text in Python's regular expressions; in those of JSON Schema it is ``$``."""


# apispec has no types for its plugin.
class _Converter(OpenAPIConverter):  # type: ignore[misc]
    """Lists the required fields of answers, and describes every schema by its docstring."""

    def schema2jsonschema(self, schema: Any) -> JsonObject:
        made: JsonObject = super().schema2jsonschema(schema)
        kind = schema if isinstance(schema, type) else type(schema)
        if description := _description(kind):
            made["description"] = description
        if not issubclass(kind, Input | Sparse):
            always = [name for name, field in _fields(schema).items() if not field.metadata.get(MAY_LACK)]
            made |= {"required": always} if always else {}
        return made


class DescribingPlugin(MarshmallowPlugin):  # type: ignore[misc]
    """Marshmallow's plugin, with more attributes of fields."""

    Converter = _Converter

    def init_spec(self, spec: Any) -> None:
        """Add to the schema of every field."""
        super().init_spec(spec)
        converter: Any = self.converter
        for function in (_component, _pattern, _spell_out, _absent_values):
            converter.add_attribute_function(function)
        converter.add_parameter_attribute_function(_empty_parameters)


def _component(_: Any, field: fields.Field[Any], ret: JsonObject, **__: Any) -> JsonObject:
    """Refer to the component that describes the field."""
    name = field.metadata.get(COMPONENT)
    if name is None:
        return {}
    described = {key: value for key, value in ret.items() if key == "description"}
    ret.clear()
    return {**described, **ref(name)}


def _pattern(_: Any, field: fields.Field[Any], ret: JsonObject, **__: Any) -> JsonObject:
    """Write the end of a text as JSON Schema does."""
    pattern = ret.get("pattern", "")
    return {"pattern": pattern.replace(_PYTHON_END, "$")} if _PYTHON_END in pattern else {}


def _spell_out(_: Any, field: fields.Field[Any], ret: JsonObject, **__: Any) -> JsonObject:
    """Make types and contents explicit."""
    made = spell_out(ret)
    ret.clear()
    return made


def _absent_values(_: Any, field: fields.Field[Any], ret: JsonObject, **__: Any) -> JsonObject:
    """Allow null for an absent field of a body."""
    if not isinstance(field.parent, Input) or isinstance(field.parent, Query) or field.required:
        return {}
    made = nullable(ret)
    ret.clear()
    return made


def _empty_parameters(_: Any, field: fields.Field[Any], ret: JsonObject, **__: Any) -> JsonObject:
    """Allow an empty parameter of a query for an absent one."""
    return {} if field.required or ret["in"] != "query" else {"allowEmptyValue": True}


def _description(kind: type[Schema]) -> str | None:
    """Return the docstring that a schema has of its own."""
    text = kind.__dict__.get("__doc__")
    return text.partition("\n\n")[0].replace("``", "`") if text else None


def _fields(schema: Any) -> Mapping[str, fields.Field[Any]]:
    made = schema() if isinstance(schema, type) else schema
    return {field.data_key or name: field for name, field in made.fields.items()}
