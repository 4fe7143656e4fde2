"""Which role a route needs: declared with it, and refused to everybody but an admin where it is not."""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import flask

from app.engine.errors import ForbiddenError
from app.engine.roles import Role

View = TypeVar("View", bound=Callable[..., Any])

_DECLARED: Final = "ferryman_role"
_CONVERTER: Final = re.compile(r"<[^<>]*:")


def needs(role: Role) -> Callable[[View], View]:
    """Declare the role that a view needs."""

    def declare(view: View) -> View:
        view.__dict__[_DECLARED] = role
        return view

    return declare


def needed_by(view: Callable[..., Any]) -> Role | None:
    """Tell the role that was declared with a view."""
    return view.__dict__.get(_DECLARED)


def route(request: flask.Request) -> str | None:
    """Name the route that a request took, without how its parts are told apart."""
    return _CONVERTER.sub("<", request.url_rule.rule) if request.url_rule else None


def check(held: Role) -> None:
    """Raise ForbiddenError when the request's route needs more than a role; one that leads nowhere needs nothing."""
    request = flask.request
    if request.endpoint is None or request.method == "OPTIONS":
        return
    needed = needed_by(flask.current_app.view_functions[request.endpoint]) or Role.ADMIN
    if not held.covers(needed):
        raise ForbiddenError(
            f"{request.method} {route(request)} needs a token of the role '{needed}': this one is '{held}'"
        )
