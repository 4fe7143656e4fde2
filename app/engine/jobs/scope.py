"""What a request's placeholders see, and the elements that a request is repeated for.

An element is small JSON that is kept with its unit: ``{"parents": {name: kept fields}, "loop": value}``. A recursion
(wire.md C8) repeats a request for a record of its own answer: its element also has the id and query to ask for, and the
trail of requests that led to it, by which a circle is found.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, TypeAlias

from app.engine.config.reader import name_type
from app.engine.jobs.items import Recursion, ResourceItem
from app.engine.jobs.planning import RunPlan
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import is_true
from app.engine.paths import UNDEFINED, Path, lookup
from app.engine.record_errors import LoopError, RecursionFaultError
from app.engine.records.rows import encode
from app.engine.templating.placeholders import Template

Element: TypeAlias = JsonObject


def build_run_scope(
    *, args: JsonObject, context: JsonObject, tenant_id: str, previous_run_date: str | None, run: JsonObject
) -> JsonObject:
    """Return the scope of a run's requests; the account's context is at the top level too, with the lowest priority."""
    scope = {
        **context,
        "args": args,
        "context": context,
        "tenant_id": tenant_id,
        "sync_job_run": run,
        "resources": {},
    }
    return set_previous_run_date(scope, previous_run_date)


def set_previous_run_date(scope: JsonObject, previous_run_date: str | None) -> JsonObject:
    """Return the scope with this date; None is a date that does not resolve."""
    others = {name: value for name, value in scope.items() if name != "previous_run_date"}
    return others if previous_run_date is None else {**others, "previous_run_date": previous_run_date}


def list_root_elements(item: ResourceItem, scope: JsonObject) -> list[Element]:
    """List the elements of a resource without a parent: one, or one per value of its loop; raise LoopError."""
    if item.loop_on is None:
        return [{}]
    return [{"loop": value} for value in _read_loop_values(item, item.loop_on, scope)]


def list_child_elements(
    item: ResourceItem, plan: RunPlan, parent: ResourceItem, parent_element: Element, record: JSON, scope: JsonObject
) -> list[Element]:
    """List the child elements of one object of the parent: one, or one per value of its loop; raise LoopError."""
    parents = {**parent_element.get("parents", {}), parent.name: _project(record, plan.kept_fields(parent.name))}
    if item.loop_on is None:
        return [{"parents": parents}]
    seen = build_element_scope(item, plan, {"parents": parents}, scope)
    return [
        {"parents": _replace_loop(parents, item.loop_on, plan.ancestors_of(item.name), value), "loop": value}
        for value in _read_loop_values(item, item.loop_on, seen)
    ]


def build_element_scope(item: ResourceItem, plan: RunPlan, element: Element, scope: JsonObject) -> JsonObject:
    """Return the scope of a request: that of its run, its ancestors' objects, and the value of its loop."""
    seen = scope
    for ancestor in reversed(plan.ancestors_of(item.name)):
        if ancestor.name not in element.get("parents", {}):
            # A transform or a spool is between: the element has no one object of it.
            continue
        for path in sorted(ancestor.binding_paths):
            seen = _bind(seen, path, element["parents"][ancestor.name])
    if item.loop_on is not None and "loop" in element:
        seen = _bind(seen, item.loop_on, element["loop"])
    return seen


def build_record_scope(
    item: ResourceItem, plan: RunPlan, element: Element, record: JSON, scope: JsonObject
) -> JsonObject:
    """Return the scope of a recursion: that of the request, and a record of its answer."""
    seen = build_element_scope(item, plan, element, scope)
    for path in sorted(item.binding_paths):
        seen = _bind(seen, path, record)
    return seen


def make_batch_element(parent_element: Element, records: Sequence[JSON]) -> Element:
    """Make the element of a transform: a batch of its parent's records, and the objects of its ancestors."""
    return {"parents": parent_element.get("parents", {}), "records": list(records)}


def build_batch_scope(item: ResourceItem, plan: RunPlan, element: Element, scope: JsonObject) -> JsonObject:
    """Return the scope of a transform's expression: ``records``, also in the place of its parent's objects."""
    records = element["records"]
    seen = build_element_scope(item, plan, element, scope)
    for path in sorted(plan.ancestors_of(item.name)[0].binding_paths):
        seen = _bind(seen, path, records)
    return {**seen, "records": records, "total_records_size": len(records)}


def _read_loop_values(item: ResourceItem, path: Path, scope: JsonObject) -> list[JSON]:
    found = lookup(scope, path)
    if not isinstance(found, list):
        kind = "nothing" if found is UNDEFINED else "null" if found is None else name_type(found)
        raise LoopError(f"loop_on of '{item.name}' expects an array at '{'.'.join(path)}', found {kind}")
    return found


def _replace_loop(parents: JsonObject, loop: Path, ancestors: Sequence[ResourceItem], value: JSON) -> JsonObject:
    """Replace a loop's array by one of its values; else the array would be kept with each of them."""
    for ancestor in ancestors:
        for at in ancestor.binding_paths if ancestor.name in parents else ():
            if loop[: len(at)] == at:
                return {**parents, ancestor.name: _bind(parents[ancestor.name], loop[len(at) :], value)}
    return parents


def _bind(scope: JSON, path: Path, value: JSON) -> JSON:
    """Copy the objects and arrays along a path, with a value at its end."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(scope, list):
        copy = [*scope]
        copy[int(head)] = _bind(copy[int(head)], rest, value)
        return copy
    inner = scope if isinstance(scope, dict) else {}
    return {**inner, head: _bind(inner.get(head), rest, value)}


def _project(record: JSON, kept: frozenset[Path] | None) -> JSON:
    """Keep only the fields that descendants read; a path that leads through an array keeps the array."""
    if kept is None or not isinstance(record, dict):
        return record
    projected: JsonObject = {}
    for path in sorted(kept):
        _copy(record, projected, path)
    return projected


def _copy(source: JsonObject, target: JsonObject, path: Path) -> None:
    head, *rest = path
    if head not in source:
        return
    inner = source[head]
    if not rest or not isinstance(inner, dict):
        target[head] = inner
    else:
        _copy(inner, target.setdefault(head, {}), tuple(rest))


MAX_DEPTH: Final = 100
_KEY: Final = "recurse"


def repeat_for_record(
    item: ResourceItem, plan: RunPlan, element: Element, record: JSON, run_scope: JsonObject
) -> Element | None:
    """Make the element that repeats the request for a record, if any; raise PlaceholderError or RecursionFaultError."""
    recursion = item.recursion
    if recursion is None:
        return None
    seen = build_record_scope(item, plan, element, record, run_scope)
    if not is_true(recursion.condition.resolve(seen)):
        return None
    asked = _resolve_request(recursion, seen)
    trail = [*element.get(_KEY, {}).get("trail", []), hashlib.blake2b(encode(asked), digest_size=8).hexdigest()]
    if trail[-1] in trail[:-1]:
        raise RecursionFaultError(f"recurse of '{item.name}' leads back to a request that it came from")
    if len(trail) > MAX_DEPTH:
        raise RecursionFaultError(f"recurse of '{item.name}' is deeper than {MAX_DEPTH} requests")
    return {**element, _KEY: {**asked, "trail": trail}}


def apply_recursion(element: Element, id: JSON, query: JsonObject) -> tuple[JSON, JsonObject]:
    """Put an element's own id and query over those of its request."""
    own = element.get(_KEY)
    if own is None:
        return id, query
    return own.get("id", id), {**query, **own.get("query", {})}


def _resolve_request(recursion: Recursion, seen: JsonObject) -> JsonObject:
    found = {"id": _resolve_or_none(recursion.id, seen), "query": _resolve_or_none(recursion.query, seen)}
    return {name: value for name, value in found.items() if value is not None}


def _resolve_or_none(template: Template | None, seen: JsonObject) -> JSON:
    value = template.resolve(seen) if template is not None else None
    return None if value is UNDEFINED else value
