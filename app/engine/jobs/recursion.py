"""Repeat a request for a record of its own answer: a folder's folders, a comment's replies (docs/wire.md C8).

What is repeated is an element of the same resource, with the id and query to ask for. It also keeps the trail of
requests that led to it, by which a tree that leads back to itself is noticed.
"""

import hashlib
from typing import Final

from app.engine.errors import RecursionFaultError
from app.engine.flags import is_true
from app.engine.jobs.items import Recursion, ResourceItem
from app.engine.jobs.planning import RunPlan
from app.engine.jobs.scope import Element, record_scope
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import UNDEFINED
from app.engine.records.rows import encode
from app.engine.templating.placeholders import Template

MAX_DEPTH: Final = 100
_KEY: Final = "recurse"


def repeated(
    item: ResourceItem, plan: RunPlan, element: Element, record: JSON, run_scope: JsonObject
) -> Element | None:
    """Make the element that a record leads to, if it leads to one; raise PlaceholderError or RecursionFaultError."""
    recursion = item.recursion
    if recursion is None:
        return None
    seen = record_scope(item, plan, element, record, run_scope)
    if not is_true(recursion.condition.resolve(seen)):
        return None
    asked = _asked(recursion, seen)
    trail = [*element.get(_KEY, {}).get("trail", []), _fingerprint(asked)]
    if trail[-1] in trail[:-1]:
        raise RecursionFaultError(f"recurse of '{item.name}' leads back to a request that it came from")
    if len(trail) > MAX_DEPTH:
        raise RecursionFaultError(f"recurse of '{item.name}' is deeper than {MAX_DEPTH} requests")
    return {**element, _KEY: {**asked, "trail": trail}}


def overridden(element: Element, id: JSON, query: JsonObject) -> tuple[JSON, JsonObject]:
    """Put an element's own id and query over those of its request."""
    own = element.get(_KEY)
    if own is None:
        return id, query
    return own.get("id", id), {**query, **own.get("query", {})}


def _asked(recursion: Recursion, seen: JsonObject) -> JsonObject:
    found = {"id": _resolved(recursion.id, seen), "query": _resolved(recursion.query, seen)}
    return {name: value for name, value in found.items() if value is not None}


def _resolved(template: Template | None, seen: JsonObject) -> JSON:
    value = template.resolve(seen) if template is not None else None
    return None if value is UNDEFINED else value


def _fingerprint(asked: JsonObject) -> str:
    return hashlib.blake2b(encode(asked), digest_size=8).hexdigest()
