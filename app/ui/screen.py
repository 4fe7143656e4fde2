"""The one way to offer a page, a part of a page that renews itself, or a button: each with the role that it needs."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeAlias

import flask

from app.actors import ActorKind
from app.api.resources import roles
from app.api.resources.acting import act_as
from app.api.resources.services import enter, services
from app.engine.errors import ForbiddenError, UnauthorizedError
from app.engine.objects.environments import Role
from app.services.dashboard.sessions import is_form_token
from app.ui import cookies, rendering
from app.ui.rendering import Entry

View: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a button has done: where to go now, and what to say there."""

    address: str
    notice: str = ""


class Screens(flask.Blueprint):
    """The pages of one part of the dashboard."""

    def __init__(self, name: str, *, title: str = "", key: str = "", home: str = "show") -> None:
        """``title`` is its place in the navigation, ``home`` the view that it leads to, and ``g`` ``key`` too."""
        super().__init__(name, __name__)
        self.entry = (
            Entry(title=title, key=key, endpoint=f"ui.{name}.{home}", blueprint=f"ui.{name}") if title else None
        )

    def page(self, rule: str, template: str, *, needs: Role = Role.READ) -> Callable[[View], View]:
        """Offer a page: the view gathers what the template shows as ``page``, or returns an answer of its own."""

        def offer(view: View) -> View:
            def answer(**arguments: Any) -> flask.Response:
                admit(needs)
                found = view(**arguments)
                return found if isinstance(found, flask.Response) else rendering.show(template, page=found)

            return self._offer("GET", rule, view, answer, needs)

        return offer

    def fragment(
        self, rule: str, template: str, *, needs: Role = Role.READ, version: Callable[..., str] | None = None
    ) -> Callable[[View], View]:
        """Offer a part of a page that renews itself: as ``page``, whose template must say nothing of "now".

        An unchanged part is answered 304. ``version`` returns what changes whenever the part does, for less than
        the part itself takes; without it the part is made, and compared.
        """

        def offer(view: View) -> View:
            def answer(**arguments: Any) -> flask.Response:
                admit(needs)
                tag = _make_tag(version(**arguments)) if version else None
                if tag is not None and flask.request.if_none_match.contains_weak(tag):
                    return rendering.finish(
                        flask.Response(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": f'"{tag}"'})
                    )
                response = rendering.show_fragment(template, page=view(**arguments))
                response.set_etag(tag or _make_tag(response.get_data(as_text=True)))
                return response.make_conditional(flask.request)  # type: ignore[return-value]  # it returns itself

            return self._offer("GET", rule, view, answer, needs)

        return offer

    def action(self, rule: str, *, needs: Role = Role.RUN) -> Callable[[View], View]:
        """Offer a button: the view acts, and returns ``Done`` or an answer of its own."""

        def offer(view: View) -> View:
            def answer(**arguments: Any) -> flask.Response:
                admit(needs)
                check_form()
                found = view(**arguments)
                return found if isinstance(found, flask.Response) else _go(found)

            return self._offer("POST", rule, view, answer, needs)

        return offer

    def _offer(self, method: str, rule: str, view: View, answer: View, needs: Role) -> View:
        self.add_url_rule(rule, view.__name__, roles.needs(needs)(wraps(view)(answer)), methods=[method])
        return view


def admit(needs: Role) -> None:
    """Make the request act for who is signed in; raise UnauthorizedError, or ForbiddenError when its role is less."""
    secret = cookies.read_secret()
    session = services().dashboard.sessions.find(secret) if secret else None
    if session is None:
        raise UnauthorizedError("the session has expired: sign in again")
    flask.g.session, flask.g.session_secret = session, secret
    enter(session.holder)
    act_as(ActorKind.UI, session.holder.id, session.name)
    if not session.role.covers(needs):
        raise ForbiddenError(f"this needs the role '{needs}': you are signed in as '{session.role}'")


def check_form() -> None:
    """Raise ForbiddenError unless a form of this session's own pages was sent."""
    check_origin()
    if not is_form_token(flask.request.form.get("form_token", ""), flask.g.session_secret):
        raise ForbiddenError("this form is of another session: load the page again, and repeat it")


def check_origin() -> None:
    """Raise ForbiddenError when a page of another origin sends the request."""
    site, origin = (flask.request.headers.get(name) for name in ("Sec-Fetch-Site", "Origin"))
    own = flask.request.host_url.rstrip("/")
    if (site != "same-origin") if site is not None else (origin not in (None, own)):
        raise ForbiddenError("a page of another site sent this form, so nothing was done")


def _go(done: Done) -> flask.Response:
    response = rendering.finish(flask.Response(status=HTTPStatus.SEE_OTHER))
    response.location = done.address
    if done.notice:
        cookies.keep_notice(response, done.notice)
    return response


def _make_tag(content: str) -> str:
    """Return the tag of a part: that of others, and of another version of Ferryman, is another one."""
    named = f"{rendering.hash_assets()}\0{flask.g.session.id}\0{content}"
    return hashlib.sha256(named.encode()).hexdigest()[:24]
