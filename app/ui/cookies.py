"""The dashboard's cookies: whose session it is, which theme was chosen, and what is to be said on the next page."""

from typing import Final
from urllib.parse import quote, unquote

import flask

_SESSION: Final = "ferryman_session"
_THEME: Final = "ferryman_theme"
_NOTICE: Final = "ferryman_notice"
_THEMES: Final = ("dark", "light")
_NOTICE_SECONDS: Final = 30
_MOST_NOTICE_CHARACTERS: Final = 500


def path() -> str:
    """Return the path that the dashboard's cookies are sent to, below the prefix that a proxy adds."""
    return f"{flask.request.script_root}/ui"


def read_secret() -> str | None:
    """Return the secret of the session that the browser names."""
    return flask.request.cookies.get(_SESSION) or None


def keep_secret(response: flask.Response, secret: str) -> None:
    """Have the browser name a session until it is closed; a script can not read it, another site can not send it."""
    _set(response, _SESSION, secret)


def drop_secret(response: flask.Response) -> None:
    """Have the browser forget its session."""
    response.delete_cookie(_SESSION, path=path())


def read_theme() -> str | None:
    """Return the theme that was chosen; None follows the browser. The page's script writes this cookie."""
    theme = flask.request.cookies.get(_THEME)
    return theme if theme in _THEMES else None


def keep_notice(response: flask.Response, text: str) -> None:
    """Have the next page say a text, once."""
    _set(response, _NOTICE, quote(text[:_MOST_NOTICE_CHARACTERS]), max_age=_NOTICE_SECONDS)


def take_notice() -> str | None:
    """Return what this page is to say."""
    text = flask.request.cookies.get(_NOTICE)
    return unquote(text)[:_MOST_NOTICE_CHARACTERS] if text else None


def drop_notice(response: flask.Response) -> None:
    """Say it once only."""
    response.delete_cookie(_NOTICE, path=path())


def _set(response: flask.Response, name: str, value: str, *, max_age: int | None = None) -> None:
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        path=path(),
        secure=flask.request.is_secure,
        httponly=True,
        samesite="Strict",
    )
