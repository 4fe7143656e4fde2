"""Who causes the changes that are made: bound for a request or a command, and read where a transaction begins.

It travels beside the work, as the facts of log lines do (decision 0025): no change depends on it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

import orjson


class ActorKind(StrEnum):
    """What kind of caller makes a change."""

    TOKEN = "token"  # noqa: S105  # the kind of caller, not a token
    """An API token."""
    ACCOUNT = "account"
    """The token of an integrated account, for that account."""
    UI = "ui"
    """A session of the dashboard, which acts by the rights of an API token or of a sign-in."""
    OPERATOR = "operator"
    """A command that works on the database itself."""
    SYSTEM = "system"
    """Ferryman, without anybody's request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who makes a change, and by which request."""

    kind: ActorKind
    id: str | None = None
    """Of the API token, or of the account."""
    name: str | None = None
    request_id: str | None = None
    address: str | None = None
    operation: str | None = None
    """The route or the command."""

    def to_json(self) -> str:
        """Write it as the database reads it."""
        return orjson.dumps(self).decode()


_bound: ContextVar[Actor | None] = ContextVar("actor", default=None)


def begin(actor: Actor | None) -> None:
    """Replace who acts: for a server's thread, which each request begins anew."""
    _bound.set(actor)


@contextmanager
def act_as(actor: Actor) -> Iterator[None]:
    """Attribute what is changed within to an actor."""
    token = _bound.set(actor)
    try:
        yield
    finally:
        _bound.reset(token)


def current() -> Actor | None:
    """Return who acts; None when nobody asked for the work at hand."""
    return _bound.get()
