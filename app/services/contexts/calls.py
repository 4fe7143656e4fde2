"""Resolve the request of an element: the job's templates and expressions over what its run knows."""

from dataclasses import replace

from app.engine.jobs import computations, scope
from app.engine.jobs.items import ResourceItem
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import UNDEFINED, Path
from app.engine.templating.placeholders import Template
from app.engine.unified.calls import UnifiedRequest
from app.services.contexts.context import RunContext
from app.services.ports import PageCall


def build_page_call(context: RunContext, item: ResourceItem, element: scope.Element, cursor: JSON) -> PageCall:
    """Resolve an element's request; raise PlaceholderError when a value is missing, MappingError for a mapping."""
    values = scope.build_element_scope(item, context.plan, element, context.scope_of(item))
    id, body = _to_text(_resolve(item.id, values)), _resolve_body(item, values, context.plain_paths)
    plain = context.plain_paths
    query = (
        computations.compute_query(item.expression, values, plain) if item.expression else _resolve(item.query, values)
    )
    if item.recursion is not None:
        id, query = scope.apply_recursion(element, id, query or {})
        id = _to_text(id)
    decides_deletions = item.name in context.plan.decide_deletions
    if mapping := context.unified.get(item.name):
        call = mapping.page_call(UnifiedRequest(id=id, query=query or {}, body=body), cursor)
        return replace(call, decides_deletions=decides_deletions)
    return PageCall(
        account_id=context.account.id,
        integration=context.account.integration_name,
        run_id=context.run.id,
        config=context.config,
        context=context.account.context,
        origins=context.account.origins,
        is_refused=context.account.is_refused,
        plain_paths=plain,
        resource=item.resource,
        method=item.method,
        id=id,
        query=query or {},
        body=body,
        cursor=cursor,
        decides_deletions=decides_deletions,
    )


def _resolve_body(item: ResourceItem, values: JsonObject, plain: frozenset[Path]) -> JSON:
    if item.body_expression is not None:
        return computations.compute_body(item.body_expression, values, plain)
    return _resolve(item.body, values)


def _resolve(template: Template | None, values: JsonObject) -> JSON:
    resolved = template.resolve(values) if template is not None else None
    return None if resolved is UNDEFINED else resolved


def _to_text(value: JSON) -> str | None:
    return None if value is None else str(value)
