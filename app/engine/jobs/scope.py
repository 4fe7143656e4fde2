"""What a request's placeholders see, and the elements that a request is repeated for.

An element is small JSON that is kept with its unit: ``{"parents": {name: kept fields}, "loop": value}``.
"""

from collections.abc import Sequence
from typing import TypeAlias

from app.engine.config.reader import type_name
from app.engine.jobs.items import ResourceItem
from app.engine.jobs.planning import RunPlan
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import UNDEFINED, Path, lookup
from app.engine.record_errors import LoopError

Element: TypeAlias = JsonObject


def run_scope(
    *, args: JsonObject, context: JsonObject, tenant_id: str, previous_run_date: str | None, run: JsonObject
) -> JsonObject:
    """Return what requests of a run see; the account's context stands at the top level too, behind the rest."""
    scope = {
        **context,
        "args": args,
        "context": context,
        "tenant_id": tenant_id,
        "sync_job_run": run,
        "resources": {},
    }
    return with_previous_run_date(scope, previous_run_date)


def with_previous_run_date(scope: JsonObject, previous_run_date: str | None) -> JsonObject:
    """Return a scope whose requests ask from this date; None is a date that does not resolve."""
    others = {name: value for name, value in scope.items() if name != "previous_run_date"}
    return others if previous_run_date is None else {**others, "previous_run_date": previous_run_date}


def root_elements(item: ResourceItem, scope: JsonObject) -> list[Element]:
    """List the elements of a resource without a parent: one, or one per value of its loop; raise LoopError."""
    if item.loop_on is None:
        return [{}]
    return [{"loop": value} for value in _loop_values(item, item.loop_on, scope)]


def child_elements(
    item: ResourceItem, plan: RunPlan, parent: ResourceItem, parent_element: Element, record: JSON, scope: JsonObject
) -> list[Element]:
    """List the elements that one object of the parent leads to: one, or one per value of its loop; raise LoopError."""
    parents = {**parent_element.get("parents", {}), parent.name: _project(record, plan.kept_fields(parent.name))}
    if item.loop_on is None:
        return [{"parents": parents}]
    seen = element_scope(item, plan, {"parents": parents}, scope)
    return [
        {"parents": _with_loop_value(parents, item.loop_on, plan.ancestors_of(item.name), value), "loop": value}
        for value in _loop_values(item, item.loop_on, seen)
    ]


def element_scope(item: ResourceItem, plan: RunPlan, element: Element, scope: JsonObject) -> JsonObject:
    """Return what one request sees: the run's scope, the ancestors' objects, and the loop's path bound to its value."""
    seen = scope
    for ancestor in reversed(plan.ancestors_of(item.name)):
        if ancestor.name not in element.get("parents", {}):
            # A transform or a spool stands between: no one object of it has led here.
            continue
        for path in sorted(ancestor.binding_paths):
            seen = _bind(seen, path, element["parents"][ancestor.name])
    if item.loop_on is not None and "loop" in element:
        seen = _bind(seen, item.loop_on, element["loop"])
    return seen


def record_scope(item: ResourceItem, plan: RunPlan, element: Element, record: JSON, scope: JsonObject) -> JsonObject:
    """Return what a recursion sees: all that the request saw, and the record that came of it."""
    seen = element_scope(item, plan, element, scope)
    for path in sorted(item.binding_paths):
        seen = _bind(seen, path, record)
    return seen


def batch_element(parent_element: Element, records: Sequence[JSON]) -> Element:
    """Make the element of a transform: a batch of its parent's, and the ancestors that the batch came of."""
    return {"parents": parent_element.get("parents", {}), "records": list(records)}


def batch_scope(item: ResourceItem, plan: RunPlan, element: Element, scope: JsonObject) -> JsonObject:
    """Return what a transform's expression sees: ``records``, which stand also where its parent's objects would."""
    records = element["records"]
    seen = element_scope(item, plan, element, scope)
    for path in sorted(plan.ancestors_of(item.name)[0].binding_paths):
        seen = _bind(seen, path, records)
    return {**seen, "records": records, "total_records_size": len(records)}


def _loop_values(item: ResourceItem, path: Path, scope: JsonObject) -> list[JSON]:
    found = lookup(scope, path)
    if not isinstance(found, list):
        kind = "nothing" if found is UNDEFINED else "null" if found is None else type_name(found)
        raise LoopError(f"loop_on of '{item.name}' expects an array at '{'.'.join(path)}', found {kind}")
    return found


def _with_loop_value(parents: JsonObject, loop: Path, ancestors: Sequence[ResourceItem], value: JSON) -> JsonObject:
    """Put a loop's value in the place of its array, which would else be kept with every one of its values."""
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
