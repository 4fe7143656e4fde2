"""Templates become pages: with the headers of every page, and what every template may use."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

import flask
from jinja2 import StrictUndefined

from app.api.resources.services import services
from app.engine.objects.environments import Role
from app.engine.objects.sessions import Session
from app.services.dashboard.sessions import make_form_token
from app.ui import cookies, texts

STATIC: Final = Path(__file__).with_name("static")
_OF_URL_FOR: Final = frozenset({"endpoint", "_anchor", "_external", "_method", "_scheme"})
"""What Flask takes for itself; no page has such a parameter."""
_FOLDERS: Final = {
    "run": "runs",
    "sync_job_run": "runs",
    "sync_job": "jobs",
    "sync_job_cron_trigger": "triggers",
    "account": "accounts",
    "integrated_account": "accounts",
    "webhook": "webhooks",
    "destination": "destinations",
    "resource_schema": "schemas",
    "audit": "audit",
}
"""Where the pages of things are, by their kind."""
_NAVIGATION: Final = "ferryman-ui"
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("style", "script", "img", "font", "connect")),
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    # With none at all, browsers would not say of which origin a form is.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A place in the navigation."""

    title: str
    key: str
    """``g`` and then this leads there."""
    endpoint: str
    blueprint: str
    """All of whose pages belong to it."""


def prepare(app: flask.Flask, navigation: Sequence[Entry]) -> None:
    """Give an application's templates what they use."""
    app.extensions[_NAVIGATION] = navigation
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(texts.FILTERS)
    app.jinja_env.globals.update(asset=_find_asset, find_page=find_page, may=_may, here=_here, at=at)


def show(template: str, status: int = HTTPStatus.OK, **values: Any) -> flask.Response:
    """Make a whole page of a template."""
    session: Session | None = flask.g.get("session")
    notice = cookies.take_notice()
    page = flask.render_template(
        template,
        **values,
        session=session,
        form_value=make_form_token(flask.g.session_secret) if session else "",
        navigation=_list_navigation() if session else (),
        theme=cookies.read_theme(),
        notice=notice,
    )
    response = _respond(page, status)
    if notice is not None:
        cookies.drop_notice(response)
    return response


def show_fragment(template: str, **values: Any) -> flask.Response:
    """Make a part of a page of a template."""
    token = make_form_token(flask.g.session_secret)
    return _respond(flask.render_template(template, **values, session=flask.g.session, form_value=token), HTTPStatus.OK)


def is_fragment_request() -> bool:
    """Whether the page's script asks, to replace a part of the page."""
    return "X-Ferryman-Fragment" in flask.request.headers


def finish(response: flask.Response) -> flask.Response:
    """Add the headers of every page."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


@cache
def hash_assets() -> str:
    """Return what changes as soon as a file of the dashboard does."""
    files = sorted(path for path in Path(__file__).parent.rglob("*") if path.suffix in (".html", ".css", ".js", ".svg"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]


def _respond(page: str, status: int) -> flask.Response:
    return finish(flask.Response(page, status, mimetype="text/html"))


def _list_navigation() -> Sequence[tuple[Entry, str, bool]]:
    """Return each entry, where it leads, and whether this page is within it."""
    entries = cast("Sequence[Entry]", flask.current_app.extensions[_NAVIGATION])
    return [(one, flask.url_for(one.endpoint), flask.request.blueprint == one.blueprint) for one in entries]


def _find_asset(name: str) -> str:
    return flask.url_for("ui.static", filename=name, v=hash_assets())


def _may(role: str) -> bool:
    """Whether who is signed in may do what a role may."""
    session: Session | None = flask.g.get("session")
    return session is not None and session.role.covers(Role(role))


def at(path: str) -> str:
    """Return the address of a path below ``/ui``, such as ``/runs?status=failed``."""
    return f"{flask.request.script_root}/ui{path}"


def find_page(kind: str, id: str) -> str | None:
    """Return the address of the page of a thing; None where its kind has none."""
    folder = _FOLDERS.get(kind)
    return None if folder is None else at(f"/{folder}/{quote(id, safe='')}")


def _here(**changes: object) -> str:
    """Return this page's address with other filters; None takes one away."""
    asked = {name: one for name, one in flask.request.args.to_dict(flat=False).items() if name not in _OF_URL_FOR}
    values: dict[str, Any] = {**asked, **(flask.request.view_args or {}), **changes}
    return flask.url_for(str(flask.request.endpoint), **{name: one for name, one in values.items() if one is not None})


def read_environment_name() -> str:
    """Return the name of the environment of who is signed in."""
    session: Session = flask.g.session
    return services().environments.get(session.environment_id, session.environment_id).name
