"""Build the integration's own request of a unified call, by the request side of its mapping."""

from dataclasses import dataclass, field

from app.engine.config.reader import name_type
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import merge
from app.engine.jsonata.expressions import Expression
from app.engine.paths import UNDEFINED
from app.engine.record_errors import MappingError
from app.engine.unified.calls import REMOTE_QUERY, CallMapping
from app.engine.unified.mapping import Choice, UnifiedMapping
from app.engine.unified.mapping_values import evaluate_part, require_object, resolve_part, write_headers


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationRequest:
    """The request to the integration."""

    resource: str
    method: str
    path: str | None
    """Replaces the integration's."""
    id: str | None
    query: JsonObject
    body: JSON
    headers: JsonObject = field(default_factory=dict, repr=False)
    """Beside the integration's; a null takes one of its away."""


def build_integration_request(call: CallMapping) -> IntegrationRequest:
    """Turn a unified request into the integration's own; raise MappingError."""
    mapping, scope = call.mapping, call.scope
    body = _map_body(mapping, scope)
    return IntegrationRequest(
        resource=_choose_name(mapping.resource, "resource", scope),
        method=_choose_name(mapping.method, "method", scope),
        path=_map_path(mapping, scope),
        id=scope.get("id"),
        query=_map_query(mapping, scope),
        body=body,
        headers=_map_headers(mapping, scope if body is None else {**scope, "requestBody": body}),
    )


def _choose_name(choice: str | Choice, key: str, scope: JsonObject) -> str:
    if isinstance(choice, str):
        return choice
    name = evaluate_part(choice.expression, key, scope)
    if not isinstance(name, str) or not name:
        raise MappingError(key, f"expected a name, the expression returns {name_type(name)}")
    if choice.names and name not in choice.names:
        raise MappingError(key, f"the expression returns '{name}', which is none of {', '.join(sorted(choice.names))}")
    return name


def _map_path(mapping: UnifiedMapping, scope: JsonObject) -> str | None:
    if mapping.path_mapping is None:
        return None
    path = evaluate_part(mapping.path_mapping, "path_mapping", scope)
    if path is None or path is UNDEFINED:
        return None
    if not isinstance(path, str):
        raise MappingError("path_mapping", f"expected a path, the mapping returns {name_type(path)}")
    return path


def _map_query(mapping: UnifiedMapping, scope: JsonObject) -> JsonObject:
    mapped = scope["query"]
    if mapping.query_mapping is not None:
        mapped = require_object(evaluate_part(mapping.query_mapping, "query_mapping", scope), "query_mapping")
    if isinstance(mapping.query, Expression):
        standing = require_object(evaluate_part(mapping.query, "query", scope), "query")
    else:
        standing = require_object(resolve_part(mapping.query, "query", scope), "query")
    return {**standing, **mapped, **require_object(scope["rawQuery"].get(REMOTE_QUERY), REMOTE_QUERY)}


def _map_headers(mapping: UnifiedMapping, scope: JsonObject) -> JsonObject:
    if mapping.request_header_mapping is None:
        return {}
    found = evaluate_part(mapping.request_header_mapping, "request_header_mapping", scope)
    return write_headers(require_object(found, "request_header_mapping"), "request_header_mapping")


def _map_body(mapping: UnifiedMapping, scope: JsonObject) -> JSON:
    body = scope.get("body")
    if mapping.request_body_mapping is not None:
        body = evaluate_part(mapping.request_body_mapping, "request_body_mapping", scope)
    standing = resolve_part(mapping.body, "body", scope)
    if standing is None:
        return None if body is UNDEFINED else body
    return merge(standing, require_object(body, "request_body_mapping"))
