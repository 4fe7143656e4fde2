"""Sign in by an OpenID provider: authlib asks it, checks its answer, and this begins the session."""

from http import HTTPStatus
from typing import Any, Final

import flask
from flask.sessions import SecureCookieSessionInterface

from app.actors import ActorKind
from app.api.resources.acting import attribute
from app.api.resources.services import services
from app.engine.errors import FerrymanError, NotFoundError
from app.formats.formats import import_extra
from app.services.dashboard.openid import OpenIdProvider, read_grant
from app.ui import cookies, rendering, sign_in

_NEXT: Final = "next"

blueprint = flask.Blueprint("openid", __name__)


class SigningIn(SecureCookieSessionInterface):
    """What a browser keeps while somebody is at the provider, in a signed cookie of the dashboard's own path."""

    def get_cookie_name(self, app: flask.Flask) -> str:
        """Return its name."""
        return "ferryman_openid"

    def get_cookie_path(self, app: flask.Flask) -> str:
        """Return where it is sent to."""
        return cookies.path()

    def get_cookie_secure(self, app: flask.Flask) -> bool:
        """Whether it is sent by https alone."""
        return flask.request.is_secure

    def get_cookie_samesite(self, app: flask.Flask) -> str:
        """Return that it comes along when the provider leads back."""
        return "Lax"


def prepare(app: flask.Flask, provider: OpenIdProvider | None) -> None:
    """Have an application keep what a sign-in by a provider needs."""
    if provider is not None:
        app.secret_key = provider.cookie_key
        app.session_interface = SigningIn()


@blueprint.get("/sign-in/openid")
def begin() -> flask.Response:
    """Lead to the provider."""
    provider, authlib = _require_provider(), _load_authlib()
    flask.session[_NEXT] = sign_in.read_next(flask.request.args.get("next"))
    try:
        answer: flask.Response = authlib.build_client(provider).authorize_redirect(
            flask.url_for("ui.openid.finish", _external=True)
        )
    except authlib.FAULTS as error:
        return _refuse(error)
    return rendering.finish(answer)


@blueprint.get("/sign-in/openid/answer")
def finish() -> flask.Response:
    """Begin the session of whom the provider knows, and go on to where one was."""
    provider, authlib = _require_provider(), _load_authlib()
    faults: tuple[type[Exception], ...] = (KeyError, FerrymanError, *authlib.FAULTS)
    try:
        claims = authlib.build_client(provider).authorize_access_token()["userinfo"]
        grant = read_grant(claims, provider.claim)
        environment = services().environments.find(grant.environment)
    except faults as error:
        return _refuse(error)
    attribute(ActorKind.UI, None, grant.name)
    _, secret = services().dashboard.sessions.open_person(environment.id, grant.name, grant.role)
    response = sign_in.lead(sign_in.read_next(flask.session.pop(_NEXT, None)))
    cookies.keep_secret(response, secret)
    return response


def _require_provider() -> OpenIdProvider:
    provider = services().dashboard.openid
    if provider is None:
        raise NotFoundError("way to sign in", "openid")
    return provider


def _refuse(error: Exception) -> flask.Response:
    known = isinstance(error, FerrymanError)
    fault = str(error) if known else f"the provider's answer can not be used ({type(error).__name__})"
    flask.current_app.logger.warning("sign-in by OpenID failed", exc_info=None if known else error)
    return rendering.show("sign_in.html", HTTPStatus.UNAUTHORIZED, code="", next="/ui/", fault=fault)


def _load_authlib() -> Any:
    return import_extra("app.ui.openid_client", extra="oidc")
