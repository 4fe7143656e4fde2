"""Errors as pages: what happened, in words, and never a trace."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import flask
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from app.api.errors import handlers
from app.api.errors.handlers import Fault
from app.engine.errors import UnauthorizedError
from app.ui import cookies, rendering

_TITLES: Final = {
    HTTPStatus.BAD_REQUEST: "That does not work",
    HTTPStatus.UNAUTHORIZED: "Sign in first",
    HTTPStatus.FORBIDDEN: "That is not allowed",
    HTTPStatus.NOT_FOUND: "There is nothing here",
    HTTPStatus.METHOD_NOT_ALLOWED: "That is not offered here",
    HTTPStatus.PRECONDITION_FAILED: "It has changed meanwhile",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "That is too large",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database cannot be reached",
}


def answer_pages(app: flask.Flask) -> None:
    """Have errors below ``/ui`` answered by pages, and all others as before.

    A program, which sends a bearer token, gets the API's answer there too.
    """
    answers = app.error_handler_spec[None][None]
    for kind in (HTTPException, Exception):
        app.register_error_handler(kind, _make_answer(answers[kind]))


def _make_answer(otherwise: Callable[[Any], Any]) -> Callable[[Exception], ResponseReturnValue]:
    def answer(error: Exception) -> ResponseReturnValue:
        is_of_person = _is_of_dashboard() and "Authorization" not in flask.request.headers
        return answer_page(error) if is_of_person else otherwise(error)

    return answer


def _is_of_dashboard() -> bool:
    return flask.request.path == "/ui" or flask.request.path.startswith("/ui/")


def answer_page(error: Exception) -> flask.Response:
    """Answer an exception by a page, or by its message alone where a part of a page was asked for."""
    fault = handlers.describe(error)
    if rendering.is_fragment_request():
        return _answer_part(fault)
    if isinstance(error, UnauthorizedError) and flask.request.method == "GET":
        return _lead_to_sign_in()
    title = _TITLES.get(fault.status, fault.status.phrase)
    failures = fault.failures[:100]
    response = rendering.show("error.html", fault.status, title=title, message=fault.message, failures=failures)
    response.headers.update(fault.headers)
    response.headers.pop("WWW-Authenticate", None)
    return response


def _answer_part(fault: Fault) -> flask.Response:
    match fault.status:
        case HTTPStatus.UNAUTHORIZED:
            message = "The session has expired."
        case HTTPStatus.SERVICE_UNAVAILABLE:
            message = "The database cannot be reached."
        case HTTPStatus.NOT_FOUND:
            message = "This does not exist any more."
        case _:
            message = fault.message
    return rendering.finish(flask.Response(message, fault.status, mimetype="text/plain"))


def _lead_to_sign_in() -> flask.Response:
    address = flask.request.full_path.removesuffix("?")
    if flask.request.headers.get("Sec-Fetch-Site") == "cross-site" and not cookies.read_secret():
        # A browser sends the cookie only once one of our own pages leads here.
        return rendering.show("arriving.html", address=f"{flask.request.script_root}{address}")
    response = rendering.finish(flask.Response(status=HTTPStatus.SEE_OTHER))
    response.location = flask.url_for("ui.sign-in.show", next=address)
    return response
