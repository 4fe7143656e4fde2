"""Who may call a route: its role, and whether tokens of accounts may call it, are declared with the view."""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import flask

from app.engine.errors import ForbiddenError
from app.engine.objects.environments import Role

View = TypeVar("View", bound=Callable[..., Any])

_DECLARED: Final = "ferryman_role"
_OF_ACCOUNTS: Final = "ferryman_for_accounts"
_CONVERTER: Final = re.compile(r"<[^<>]*:")


def needs(role: Role) -> Callable[[View], View]:
    """Declare the role that a view needs."""

    def declare(view: View) -> View:
        view.__dict__[_DECLARED] = role
        return view

    return declare


def needed_by(view: Callable[..., Any]) -> Role | None:
    """Return the role that was declared with a view."""
    return view.__dict__.get(_DECLARED)


def open_to_accounts(view: View) -> View:
    """Declare that the token of an integrated account may call a view; all others refuse it."""
    view.__dict__[_OF_ACCOUNTS] = True
    return view


def is_open_to_accounts(view: Callable[..., Any]) -> bool:
    """Whether the token of an integrated account may call a view."""
    return view.__dict__.get(_OF_ACCOUNTS, False) is True


def route(request: flask.Request) -> str | None:
    """Return the rule of a request's route, without converters."""
    return _CONVERTER.sub("<", request.url_rule.rule) if request.url_rule else None


def check(held: Role) -> None:
    """Raise ForbiddenError when the request's route needs more than a role; without a route nothing is needed."""
    request = flask.request
    if request.endpoint is None or request.method == "OPTIONS":
        return
    needed = needed_by(flask.current_app.view_functions[request.endpoint]) or Role.ADMIN
    if not held.covers(needed):
        raise ForbiddenError(
            f"{request.method} {route(request)} needs a token of the role '{needed}': this one is '{held}'"
        )


def check_account_token() -> None:
    """Raise ForbiddenError when the request's route is not open to tokens of integrated accounts."""
    request = flask.request
    if request.endpoint is None or request.method == "OPTIONS":
        return
    if not is_open_to_accounts(flask.current_app.view_functions[request.endpoint]):
        raise ForbiddenError(
            f"{request.method} {route(request)} is not open to the token of an integrated account, which may call its "
            "account by /unified, /proxy and /custom, and GET and PATCH /integrated-account/me"
        )
