"""Items of jobs whose resource or method an integration does not list.

A method that is spelt nearly like a known one is a fault, unless it is stored already. Others may be of an account's
own override, and a resource that is not listed has the usual REST routes: of those there is a warning.
"""

from collections.abc import Mapping
from typing import Final

from app.engine.errors import Failure
from app.engine.json_types import JSON, JsonObject
from app.engine.known_keys.judging import KeyFindings, KeyNote, WarningCode
from app.engine.known_keys.suggestions import closest, did_you_mean, is_slip
from app.engine.unified.model import USUAL_METHODS, unified_name

_REQUEST: Final = (None, "request")


def judge_methods(items: JSON, config: JsonObject, path: str, *, stored: JSON = None) -> KeyFindings:
    """Judge the items of a job by the resources of its integration's config; ``stored`` are those that it had."""
    found = KeyFindings()
    resources = config.get("resources")
    listed: Mapping[str, JSON] = resources if isinstance(resources, dict) else {}
    had = [(one.get("resource"), one.get("method")) for _, one in _objects(stored)]
    for position, item in _objects(items):
        if item.get("type") in _REQUEST:
            is_stored = (item.get("resource"), item.get("method")) in had
            _judge_item(item, listed, found, f"{path}.{position}", is_stored=is_stored)
    return found


def _objects(items: JSON) -> list[tuple[int, JsonObject]]:
    given = items if isinstance(items, list) else []
    return [(position, item) for position, item in enumerate(given) if isinstance(item, dict)]


def _judge_item(item: JsonObject, listed: Mapping[str, JSON], found: KeyFindings, at: str, *, is_stored: bool) -> None:
    resource, method = item.get("resource"), item.get("method")
    if not isinstance(resource, str) or not isinstance(method, str) or unified_name(resource) is not None:
        return  # What a unified API has is known, and judged with its model.
    close = closest(resource, listed)
    if resource not in listed and close is not None:
        message = f"the integration lists no resource '{resource}', so the usual routes are: did you mean '{close}'?"
        found.notes.append(KeyNote(code=WarningCode.UNKNOWN_METHOD, path=f"{at}.resource", message=message))
    own = listed.get(resource)
    known = {*USUAL_METHODS, *(own if isinstance(own, dict) else ())}
    if not method or method in known:
        return
    message = f"the integration lists no method '{method}' of '{resource}': {did_you_mean(method, known)}"
    if is_slip(method, known) and not is_stored:
        found.failures.append(Failure(f"{at}.method", message))
    else:
        found.notes.append(KeyNote(code=WarningCode.UNKNOWN_METHOD, path=f"{at}.method", message=message))
