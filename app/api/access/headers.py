"""The headers of every answer: for browsers and caches, and the remaining requests of the token."""

from http import HTTPStatus
from typing import Final

import flask

from app.api.access import cross_origin
from app.api.parsing import preferences
from app.services.calls.request_limits import Allowance

# An answer is data for the caller alone. Pages set a Content-Security-Policy of their own.
_ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_UNLESS_SET: Final = {
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


# Hashing more than this costs more than it saves: most large lists have changed when they are requested again.
_MOST_HASHED_BYTES: Final = 256 * 1024


def finish(response: flask.Response) -> None:
    """Add the headers of all answers; a client that has the answer already gets 304."""
    headers = response.headers
    given = {name.lower() for name in headers.keys()}  # noqa: SIM118  # a multi-dict yields pairs
    for name, value in {**_ALWAYS, "X-Request-Id": flask.g.request_id}.items():
        if name.lower() in given:
            headers.remove(name)
        headers.add(name, value)
    for name, value in _UNLESS_SET.items():
        if name.lower() not in given:
            headers.add(name, value)
    cross_origin.finish(headers)
    if flask.request.method == "GET" and response.status_code == HTTPStatus.OK and response.is_json:
        _compare(response)
    preferences.finish(response)
    allowance: Allowance | None = flask.g.get("allowance")
    if allowance is not None:
        # As of draft-ietf-httpapi-ratelimit-headers; those of a called account's API stay.
        name = "environment" if allowance.of_environment else "token"
        policy = f'"{name}";q={allowance.limit};w={allowance.window_seconds:g}'
        headers.setdefault("RateLimit-Policy", policy)
        headers.setdefault("RateLimit", f'"{name}";r={allowance.remaining};t={allowance.reset_seconds}')


def _compare(response: flask.Response) -> None:
    """Set an ETag by the answer's content, and omit the body when the caller's If-None-Match names that.

    A large list gets no ETag; a single object always does.
    """
    if "ETag" in response.headers or (response.calculate_content_length() or 0) <= _MOST_HASHED_BYTES:
        response.add_etag()
        response.make_conditional(flask.request)
