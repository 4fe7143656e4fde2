"""``Prefer`` (RFC 7240): preferences of a caller; those that are applied are named in ``Preference-Applied``."""

from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any, Final, TypeVar

import flask
from werkzeug.http import parse_list_header

from app.engine.json_types import JsonObject
from app.numerals import is_count
from app.services.runs.runs import LONGEST_WAIT_SECONDS

View = TypeVar("View", bound=Callable[..., Any])

PARAMETER: Final[JsonObject] = {
    "in": "header",
    "name": "Prefer",
    "description": (
        "Wishes, separated by commas: `handling=strict` refuses unknown fields and query parameters, `return=minimal` "
        "answers a POST or PATCH with the id alone, `wait=N` waits for the end of a run. Unknown ones are ignored."
    ),
    "schema": {"type": "string"},
}
HEADERS: Final[JsonObject] = {
    "Preference-Applied": {"description": "What of `Prefer` was met.", "schema": {"type": "string"}}
}


def is_strict() -> bool:
    """Whether unknown fields and parameters are refused."""
    handling = _preferences().get("handling", "").lower()
    if handling in ("strict", "lenient"):
        mark_applied(f"handling={handling}")
    return handling == "strict"


def wait_seconds() -> int:
    """Return how long the caller prefers to wait; 0 when it does not say."""
    given = _preferences().get("wait", "")
    is_time = is_count(given) and len(given) < 10
    return min(int(given), int(LONGEST_WAIT_SECONDS)) if is_time else 0


def apply_respond_async() -> None:
    """Record that the answer does not wait for what it starts, where the caller prefers that."""
    if "respond-async" in _preferences():
        mark_applied("respond-async")


def mark_applied(preference: str) -> None:
    """Record that a preference is applied."""
    met: dict[str, None] = flask.g.setdefault("preferences_applied", {})
    met[preference] = None


def shorten_answers(view: View) -> View:
    """Make a view that creates or changes an object answer with its id alone, where the caller prefers that."""

    @wraps(view)
    def call(*arguments: Any, **path: Any) -> Any:
        answer = view(*arguments, **path)
        wish = _preferences().get("return", "").lower()
        body, *rest = answer if isinstance(answer, tuple) else (answer,)
        if wish not in ("minimal", "representation") or not isinstance(body, dict):
            return answer
        mark_applied(f"return={wish}")
        kept = {name: body[name] for name in ("id", "warnings") if name in body}
        return answer if wish == "representation" else (kept, *(rest or (HTTPStatus.OK, {})))

    return call  # type: ignore[return-value]


def is_shortened() -> bool:
    """Whether the answer has the id alone."""
    return "return=minimal" in flask.g.get("preferences_applied", {})


def finish(response: flask.Response) -> None:
    """Name the applied preferences."""
    if met := flask.g.get("preferences_applied"):
        response.headers["Preference-Applied"] = ", ".join(met)


def _preferences() -> Mapping[str, str]:
    """Return the request's preferences; of several with one name the first counts."""
    if "preferences" not in flask.g:
        flask.g.preferences = _parse(flask.request.headers.get("Prefer", ""))
    given: Mapping[str, str] = flask.g.preferences
    return given


def _parse(header: str) -> Mapping[str, str]:
    wishes: dict[str, str] = {}
    for item in parse_list_header(header):
        name, _, value = item.partition(";")[0].partition("=")
        wishes.setdefault(name.strip().lower(), value.strip().strip('"'))
    return wishes
