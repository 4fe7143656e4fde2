"""How one integration implements one method of a unified API (wire.md A10): read, and checked whole.

Its keys are those of ``known_keys.of_unified``; others are refused where it is saved.
"""

from dataclasses import dataclass

from app.engine.config.reader import ConfigReader, show_value
from app.engine.errors import Failure
from app.engine.json_types import JSON
from app.engine.jsonata.expressions import Expression
from app.engine.templating.placeholders import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A name of the integration's that an expression chooses for each call."""

    expression: Expression
    names: frozenset[str]
    """What it may choose from; empty is anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnifiedMapping:
    """One method of one resource of a unified model, as one integration implements it."""

    resource: str | Choice
    method: str | Choice
    response_mapping: Expression | None
    """None leaves records as they are."""
    maps_pages: bool
    """The response mapping takes all records of a page at once, and may return fewer or more."""
    query: Template | Expression | None
    """Sent with each request, whatever the caller sends."""
    query_mapping: Expression | None
    body: Template | None
    request_body_mapping: Expression | None
    path_mapping: Expression | None
    error_mapping: Expression | None
    request_header_mapping: Expression | None = None
    response_header_mapping: Expression | None = None
    is_partial_expression: Expression | None = None
    """True of a page of a direct call in which something is missing."""


def parse_mapping(
    raw: JSON, path: str = "config", *, resource: str, method: str
) -> tuple[UnifiedMapping | None, list[Failure]]:
    """Read a mapping, which speaks of ``resource`` and ``method`` unless it names others.

    Returns None and every failure when it has one; an expression's fault has its position. Never raises.
    """
    failures: list[Failure] = []
    reader = ConfigReader(raw, path, failures)
    if not reader.is_object():
        return None, failures
    mapping = UnifiedMapping(
        resource=_read_choice(reader, "resource", default=resource, names="resources"),
        method=_read_choice(reader, "method", default=method, names="methods"),
        response_mapping=reader.read_expression("response_mapping"),
        maps_pages=_read_maps_pages(reader),
        query=_read_query(reader),
        query_mapping=reader.read_expression("query_mapping"),
        body=reader.read_object_template("body"),
        request_body_mapping=reader.read_expression("request_body_mapping"),
        path_mapping=reader.read_expression("path_mapping"),
        error_mapping=reader.read_expression("error_mapping"),
        request_header_mapping=reader.read_expression("request_header_mapping"),
        response_header_mapping=reader.read_expression("response_header_mapping"),
        is_partial_expression=reader.read_expression("is_partial_expression"),
    )
    return (None if failures else mapping), failures


def check_overrides(raw: JSON, path: str) -> list[Failure]:
    """Check an account's overrides, ``{model: {resource: {method: mapping}}}``."""
    failures: list[Failure] = []
    for model in _list_children(ConfigReader(raw, path, failures)):
        for resource in _list_children(model):
            for method in _list_children(resource):
                failures += parse_mapping(method.value, method.at, resource="resource", method="method")[1]
    return failures


def _list_children(reader: ConfigReader) -> list[ConfigReader]:
    return [reader.enter(name) for name in reader.value] if reader.is_object() else []


def _read_query(reader: ConfigReader) -> Template | Expression | None:
    """Read an object with placeholders, or a JSONata expression that returns one."""
    return (
        reader.read_expression("query")
        if isinstance(reader.value.get("query"), str)
        else reader.read_object_template("query")
    )


def _read_maps_pages(reader: ConfigReader) -> bool:
    value = reader.value.get("response_mapping_method")
    if value not in (None, "item", "array"):
        reader.report("response_mapping_method", f"expected 'item' or 'array', found {show_value(value)}")
    return bool(value == "array")


def _read_choice(reader: ConfigReader, key: str, *, default: str, names: str) -> str | Choice:
    value = reader.value.get(key)
    if not isinstance(value, dict):
        return reader.read_text(key, default=default)
    choice = reader.enter(key)
    expression = choice.read_expression("expression")
    if expression is None:
        if not choice.value.get("expression"):
            choice.report("expression", "expected a JSONata expression that returns a name")
        return default
    listed = choice.value.get(names, choice.value.get("resources"))
    if listed is not None and not (isinstance(listed, list) and all(isinstance(name, str) for name in listed)):
        choice.report(names, "expected a list of names")
        listed = None
    return Choice(expression=expression, names=frozenset(listed or ()))
