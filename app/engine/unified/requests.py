"""Turn a call of a unified API into the integration's own request, by the request side of its mapping."""

from dataclasses import dataclass, field

from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import merged
from app.engine.jsonata.expressions import Expression
from app.engine.paths import UNDEFINED
from app.engine.record_errors import MappingError
from app.engine.unified.calls import REMOTE_QUERY, CallMapping
from app.engine.unified.mapping import Choice, UnifiedMapping
from app.engine.unified.mapping_values import evaluated, header_texts, named, object_of, resolved


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationRequest:
    """The same, as the integration is asked."""

    resource: str
    method: str
    path: str | None
    """Replaces the integration's."""
    id: str | None
    query: JsonObject
    body: JSON
    headers: JsonObject = field(default_factory=dict, repr=False)
    """Beside the integration's; a null takes one of its away."""


def integration_request(call: CallMapping) -> IntegrationRequest:
    """Turn a unified request into the integration's own; raise MappingError."""
    mapping, scope = call.mapping, call.scope
    body = _body(mapping, scope)
    return IntegrationRequest(
        resource=_chosen(mapping.resource, "resource", scope),
        method=_chosen(mapping.method, "method", scope),
        path=_path(mapping, scope),
        id=scope.get("id"),
        query=_query(mapping, scope),
        body=body,
        headers=_request_headers(mapping, scope if body is None else {**scope, "requestBody": body}),
    )


def _chosen(choice: str | Choice, key: str, scope: JsonObject) -> str:
    if isinstance(choice, str):
        return choice
    name = evaluated(choice.expression, key, scope)
    if not isinstance(name, str) or not name:
        raise MappingError(key, f"expected a name, the expression gives {named(name)}")
    if choice.names and name not in choice.names:
        raise MappingError(key, f"the expression gives '{name}', which is none of {', '.join(sorted(choice.names))}")
    return name


def _path(mapping: UnifiedMapping, scope: JsonObject) -> str | None:
    if mapping.path_mapping is None:
        return None
    path = evaluated(mapping.path_mapping, "path_mapping", scope)
    if path is None or path is UNDEFINED:
        return None
    if not isinstance(path, str):
        raise MappingError("path_mapping", f"expected a path, the mapping gives {named(path)}")
    return path


def _query(mapping: UnifiedMapping, scope: JsonObject) -> JsonObject:
    mapped = scope["query"]
    if mapping.query_mapping is not None:
        mapped = object_of(evaluated(mapping.query_mapping, "query_mapping", scope), "query_mapping")
    if isinstance(mapping.query, Expression):
        standing = object_of(evaluated(mapping.query, "query", scope), "query")
    else:
        standing = object_of(resolved(mapping.query, "query", scope), "query")
    return {**standing, **mapped, **object_of(scope["rawQuery"].get(REMOTE_QUERY), REMOTE_QUERY)}


def _request_headers(mapping: UnifiedMapping, scope: JsonObject) -> JsonObject:
    if mapping.request_header_mapping is None:
        return {}
    found = evaluated(mapping.request_header_mapping, "request_header_mapping", scope)
    return header_texts(object_of(found, "request_header_mapping"), "request_header_mapping")


def _body(mapping: UnifiedMapping, scope: JsonObject) -> JSON:
    body = scope.get("body")
    if mapping.request_body_mapping is not None:
        body = evaluated(mapping.request_body_mapping, "request_body_mapping", scope)
    standing = resolved(mapping.body, "body", scope)
    if standing is None:
        return None if body is UNDEFINED else body
    return merged(standing, object_of(body, "request_body_mapping"))
