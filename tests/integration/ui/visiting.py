"""How the tests of the dashboard visit it without a browser: forms are found on pages, and sent from there."""

import html
import re
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.services.dashboard.sessions import make_form_token

SESSION = "ferryman_session"
MARKUP = "<img src=x onerror=alert(1)>'\"{{7*7}}</script>&amp;"
"""What a name may be, and what never reaches a page as it is."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A page."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def heading(self) -> str:
        """Its first heading."""
        found = re.search(r"<h1[^>]*>(.*?)</h1>", self.text, re.DOTALL)
        return html.unescape(found[1]).strip() if found else ""

    @property
    def words(self) -> str:
        """Its text, without tags."""
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", self.text)).split())

    @property
    def links(self) -> list[str]:
        """Where it leads."""
        return [html.unescape(one) for one in re.findall(r'<a [^>]*href="([^"]*)"', self.text)]

    @property
    def actions(self) -> list[str]:
        """What its buttons do: the addresses of its forms, but for signing out."""
        found = re.findall(r'<form [^>]*method="post"[^>]*action="([^"]*)"', self.text)
        return [html.unescape(one) for one in found if not one.endswith("/sign-out")]

    @property
    def fragments(self) -> list[str]:
        """The parts of it that renew themselves."""
        return [html.unescape(one) for one in re.findall(r'data-fragment="([^"]*)"', self.text)]


class Visitor:
    """Somebody with a browser."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **headers: str) -> Seen:
        """Look at a page; redirects are shown, not followed."""
        return _see(self.client.get(path, headers=_name(headers)))

    def part(self, path: str, **headers: str) -> Seen:
        """Ask for a part of a page, as the page's script does."""
        return self.get(path, X_Ferryman_Fragment="1", **headers)

    def post(self, path: str, *, proof: str | None = None, sent: dict[str, str] | None = None, **form: Any) -> Seen:
        """Send a form of this session's pages; ``proof`` replaces what such a form holds, ``sent`` adds headers."""
        secret = self.secret
        known = make_form_token(secret) if secret and proof is None else proof
        data = {**({"form_token": known} if known else {}), **form}
        return _see(self.client.post(path, data=data, headers=sent or {}))

    def sign_in(self, secret: str, **form: Any) -> Seen:
        """Sign in with a token."""
        return self.post("/ui/sign-in", token=secret, **form)

    @property
    def secret(self) -> str | None:
        """What the cookie of the session holds."""
        cookie = self.client.get_cookie(SESSION, path="/ui")
        return cookie.value if cookie else None


def _name(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _see(response: TestResponse) -> Seen:
    with response:
        return Seen(response.status_code, response.get_data(as_text=True), dict(response.headers))
