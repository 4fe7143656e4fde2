"""Whose changes a request makes, for the audit log."""

from typing import Final

import flask

from app import actors
from app.actors import Actor, ActorKind
from app.api.resources import roles

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def act_as(kind: ActorKind, id: str, name: str | None = None) -> None:
    """Attribute the request's changes to its caller."""
    if flask.request.method not in _SAFE_METHODS and flask.request.url_rule is not None:
        attribute(kind, id, name)


def attribute(kind: ActorKind, id: str | None, name: str | None = None) -> None:
    """Attribute the request's changes to its caller, though it may be a GET: that by which a provider leads back."""
    request = flask.request
    actors.begin(
        Actor(
            kind=kind,
            id=id,
            name=name,
            request_id=flask.g.request_id,
            address=request.remote_addr,
            operation=f"{request.method} {roles.route(request)}",
        )
    )
