"""A unified model: the resources that mean the same at every integration, with the shape of their records."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from app.engine.config.reader import ConfigReader, show_value
from app.engine.errors import Failure
from app.engine.json_schema.validators import find_schema_fault
from app.engine.json_types import JSON

USUAL_METHODS: Final = ("list", "get", "create", "update", "delete")

SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NAME: Final = f"expected {SLUG.pattern}, that is a name without '/'"


class UnifiedName(NamedTuple):
    """``model/resource``."""

    model: str
    resource: str


def parse_unified_name(resource: str) -> UnifiedName | None:
    """Split a sync job's resource; None when it is one of the integration's own."""
    model, separator, name = resource.partition("/")
    return UnifiedName(model, name) if separator else None


def are_names(*texts: str) -> bool:
    """Whether each text is a valid name of a model, a resource or a method."""
    return all(SLUG.fullmatch(text) for text in texts)


def check_resources(raw: JSON, path: str = "resources") -> list[Failure]:
    """Check a model's resources, ``{name: {schema, description, methods}}``."""
    failures: list[Failure] = []
    reader = ConfigReader(raw, path, failures)
    if not reader.is_object():
        return failures
    for name in raw:
        resource = reader.enter(name)
        if not SLUG.fullmatch(name):
            reader.report(name, _NAME)
        if resource.is_object():
            _check_resource(resource)
    return failures


def list_methods(resources: Mapping[str, JSON], resource: str) -> Sequence[str] | None:
    """List the methods of a resource, the usual ones unless it says which; None when there is no such resource."""
    described = resources.get(resource)
    if described is None:
        return None
    return [_read_method_name(method) for method in described.get("methods") or USUAL_METHODS]


def _check_resource(resource: ConfigReader) -> None:
    schema = resource.value.get("schema")
    if schema is not None:
        _check_schema(resource, schema)
    methods = resource.value.get("methods")
    if methods is not None and not isinstance(methods, list):
        resource.report("methods", f"expected a list of names, found {show_value(methods)}")
        return
    for position, method in enumerate(methods or ()):
        if not SLUG.fullmatch(_read_method_name(method)):
            resource.report(f"methods.{position}", _NAME)


def _check_schema(resource: ConfigReader, schema: JSON) -> None:
    if not isinstance(schema, dict):
        resource.report("schema", f"expected a JSON Schema, found {show_value(schema)}")
        return
    if fault := find_schema_fault(schema):
        at, message = fault
        resource.report(".".join(["schema", *map(str, at)]), message)


def _read_method_name(method: JSON) -> str:
    """Read a method's name: a text, or an object with a ``name``."""
    name = method.get("name") if isinstance(method, dict) else method
    return name if isinstance(name, str) else ""
