"""Cross-origin requests (CORS): which pages of other origins may call the API from a browser.

No cookie is read, so a browser adds no credentials: a page has to hold a token. It may therefore send any header.
"""

from typing import Final

import flask
from werkzeug.datastructures import Headers

ANY: Final = "*"
_METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
_SHOWN: Final = (
    "ETag, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id"
)
_REMEMBERED_SECONDS: Final = 600
_ORIGINS: Final = "CROSS_ORIGINS"
_MOST_HEADER_CHARACTERS: Final = 2000


def allow(app: flask.Flask, origins: str) -> None:
    """Allow pages of these comma-separated origins to call an application; ``*`` is every page."""
    app.config[_ORIGINS] = frozenset(part.strip().lower() for part in origins.split(",") if part.strip())


def preflight() -> flask.Response | None:
    """Answer a preflight request of an allowed page; None for any other request."""
    request = flask.request
    if (
        request.method != "OPTIONS"
        or "Access-Control-Request-Method" not in request.headers
        or _allowed_origin() is None
    ):
        return None
    response = flask.Response(status=204)
    wanted = request.headers.get("Access-Control-Request-Headers", "")[:_MOST_HEADER_CHARACTERS]
    response.headers.update(
        {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": wanted,
            "Access-Control-Max-Age": str(_REMEMBERED_SECONDS),
        }
    )
    return response


def finish(headers: Headers) -> None:
    """Allow the requesting page to read an answer."""
    origins = flask.current_app.config[_ORIGINS]
    if origins and ANY not in origins:
        headers.add("Vary", "Origin")
    allowed = _allowed_origin()
    if allowed is not None:
        headers["Access-Control-Allow-Origin"] = allowed
        headers["Access-Control-Expose-Headers"] = _SHOWN


def _allowed_origin() -> str | None:
    """Return the origin that may read the answer; None when none may."""
    origins = flask.current_app.config[_ORIGINS]
    origin = flask.request.headers.get("Origin", "")
    if not origin or not origins:
        return None
    if ANY in origins:
        return ANY
    return origin if origin.lower() in origins else None
