"""Sign in to the dashboard with an API token or a link, and out again.

A session is a row, so every process knows it, and it ends as soon as its token is revoked.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from app.engine.errors import NotFoundError, UnauthorizedError
from app.engine.objects.environments import ApiToken, EnvironmentId, Role
from app.engine.objects.sessions import Session
from app.services.dashboard.ports import SessionStore

CODE_SECONDS: Final = 600.0
"""How long a sign-in link is valid."""
_SECRET_BYTES: Final = 32
_FORM: Final = b"form of the dashboard"


class SessionService:
    """Who is signed in."""

    def __init__(self, sessions: SessionStore, *, session_seconds: float) -> None:
        self._sessions = sessions
        self._session_seconds = session_seconds

    def open(self, token: ApiToken) -> tuple[Session, str]:
        """Begin a session with the rights of a valid token; return it, and its secret, which is not kept."""
        return self._open(environment_id=token.environment_id, token_id=token.id, name=token.name, role=token.role)

    def open_person(self, environment_id: EnvironmentId, name: str, role: Role) -> tuple[Session, str]:
        """Begin the session of a person whom an OpenID provider knows, as ``open`` does."""
        return self._open(environment_id=environment_id, token_id=None, name=name, role=role)

    def take_code(self, code: str) -> ApiToken:
        """Return the token of a sign-in link, which is used up by this; raise UnauthorizedError when it is already."""
        token = self._sessions.take_code(_hash(code))
        if token is None:
            raise UnauthorizedError("this sign-in link was used, or has expired: ask for another one")
        return token

    def find(self, secret: str) -> Session | None:
        """Return the session of a secret; None when it has ended, or never was."""
        return self._sessions.find(_hash(secret))

    def close(self, session: Session) -> None:
        """End a session; no process accepts it once this returns."""
        self._sessions.delete(session.id)

    def list(self, environment_id: EnvironmentId) -> Sequence[Session]:
        """List who is signed in to an environment, the newest first."""
        return self._sessions.list(environment_id)

    def end(self, environment_id: EnvironmentId, whose: str) -> int:
        """End the session of an id, or all sessions of a name; return how many; raise NotFoundError if none."""
        count = self._sessions.end(environment_id, whose)
        if not count:
            raise NotFoundError("session", whose)
        return count

    def issue_code(self, token: ApiToken) -> str:
        """Return a code that signs in once, within ten minutes, with the rights of a token."""
        code = secrets.token_urlsafe(_SECRET_BYTES)
        self._sessions.add_code(_hash(code), token.id, seconds=CODE_SECONDS)
        return code

    def _open(self, **values: object) -> tuple[Session, str]:
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        return self._sessions.create(_hash(secret), values, seconds=self._session_seconds), secret


def make_form_token(secret: str) -> str:
    """Return what each form of a session holds, and a page of somebody else can not know."""
    return hmac.new(secret.encode(), _FORM, hashlib.sha256).hexdigest()


def is_form_token(text: str, secret: str) -> bool:
    """Whether a text is what the forms of a session hold."""
    return hmac.compare_digest(text.encode(), make_form_token(secret).encode())


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
