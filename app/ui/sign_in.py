"""Sign in with an API token or a link, and out again."""

import re
from http import HTTPStatus
from typing import Final

import flask

from app.actors import ActorKind
from app.api.access import gate
from app.api.resources.acting import act_as
from app.api.resources.services import services
from app.engine.errors import Failure, InvalidInputError, TooManyRequestsError, UnauthorizedError
from app.engine.objects.environments import Role
from app.engine.objects.sessions import Session
from app.services.dashboard.sessions import CODE_SECONDS
from app.ui import cookies, rendering, screen

_OWN: Final = re.compile(r"(?!.*/(?:\.|%2e){1,2}(?:[/?#]|$))/ui(?:[/?][!-\[\]-~]*)?", re.IGNORECASE)
"""Addresses within the dashboard: without a backslash, which browsers take for a slash, or a step up."""

blueprint = flask.Blueprint("sign-in", __name__)


@blueprint.get("/sign-in")
def show() -> flask.Response:
    """Show the form, or the button of a sign-in link: looking at that does not use it up."""
    code, onwards = flask.request.args.get("code", ""), read_next(flask.request.args.get("next"))
    if not code and _find_session() is not None:
        return lead(onwards)
    # A browser that has a secret was signed in: signing out takes it away.
    fault = "Your session has ended: sign in again." if not code and cookies.read_secret() else ""
    return rendering.show("sign_in.html", code=code, next=onwards, fault=fault)


@blueprint.post("/sign-in")
def enter() -> flask.Response:
    """Sign in, and go on to where one was."""
    screen.check_origin()
    _spend()
    form = flask.request.form
    code, onwards = form.get("code", ""), read_next(form.get("next"))
    sessions = services().dashboard.sessions
    try:
        secret_text = _read_token(form.get("token", ""))
        token = sessions.take_code(code) if code else services().tokens.authenticate(secret_text)
    except UnauthorizedError as error:
        status = HTTPStatus.UNAUTHORIZED
        return rendering.show("sign_in.html", status, code="", next=onwards, fault=_explain(error, is_code=bool(code)))
    act_as(ActorKind.UI, token.id, token.name)
    _, secret = sessions.open(token)
    response = lead(onwards)
    cookies.keep_secret(response, secret)
    return response


@blueprint.post("/sign-out")
def leave() -> flask.Response:
    """Sign out; who is not signed in is out already."""
    try:
        screen.admit(Role.READ)
    except UnauthorizedError:
        pass
    else:
        screen.check_form()
        services().dashboard.sessions.close(flask.g.session)
    response = lead("/ui/sign-in")
    cookies.drop_secret(response)
    return response


@blueprint.post("/sign-in-link")
def make_link() -> tuple[flask.Response, int]:
    """Return a link that signs in once, with the rights of the token that asks; ``next`` is the page that it opens."""
    token = services().tokens.authenticate(gate.read_bearer_secret())
    if not flask.request.host:
        # Werkzeug reads one that is malformed as none, and the link would lead nowhere.
        raise InvalidInputError(
            [Failure("Host", "expected the name of this server in this header, such as sync.example.com")]
        )
    code = services().dashboard.sessions.issue_code(token)
    asked = flask.request.args.get("next")
    onwards = read_next(asked) if asked else None
    url = flask.url_for("ui.sign-in.show", code=code, next=onwards, _external=True)
    return flask.jsonify({"url": url, "expires_in": int(CODE_SECONDS)}), HTTPStatus.CREATED


def _find_session() -> Session | None:
    secret = cookies.read_secret()
    return services().dashboard.sessions.find(secret) if secret else None


def _read_token(text: str) -> str:
    """Return a token as it was pasted, without what was copied with it."""
    return text.strip().removeprefix("Bearer ").strip()


def read_next(text: str | None) -> str:
    """Return the address to go on to: one of the dashboard's own, or its first page."""
    is_own = text is not None and _OWN.fullmatch(text) is not None and not text.startswith("/ui/sign-")
    return str(text) if is_own else "/ui/"


def _explain(error: UnauthorizedError, *, is_code: bool) -> str:
    if is_code or error.message != UnauthorizedError().message:
        return error.message
    return "This is no API token of this Ferryman."


def _spend() -> None:
    """Raise TooManyRequestsError when an address tries to sign in too often."""
    allowance = services().request_limits.spend(f"sign-in:{flask.request.remote_addr}")
    if allowance is not None and not allowance.is_admitted:
        raise TooManyRequestsError(
            whose="this address",
            limit=allowance.limit,
            window_seconds=allowance.window_seconds,
            retry_after_seconds=allowance.reset_seconds,
        )


def lead(address: str) -> flask.Response:
    """Return an answer that leads to a page of the dashboard."""
    response = rendering.finish(flask.Response(status=HTTPStatus.SEE_OTHER))
    response.location = f"{flask.request.script_root}{address}"
    return response
