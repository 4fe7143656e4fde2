"""``/``, ``/ping`` and ``/healthz``: the service itself."""

import flask

from app.api.resources.roles import needs
from app.api.resources.services import services
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role

service = flask.Blueprint("service", __name__)


@service.get("/")
@needs(Role.READ)
def index() -> JsonObject:
    """Return the paths of the documentation and the health check."""
    root = flask.request.script_root
    places = {"docs": "/docs", "openapi": "/openapi.json", "health": "/healthz"}
    return {"name": "ferryman", **{name: f"{root}{path}" for name, path in places.items()}}


@service.get("/ping")
@needs(Role.READ)
def ping() -> JsonObject:
    """Answer a client that checks its token."""
    return {"ping": "pong"}


@service.get("/healthz")
def healthz() -> tuple[JsonObject, int]:
    """Return whether Postgres and Redis are reachable, and the daemons of each group; 503 only without Postgres."""
    serves, found = services().reading.health.check()
    return found, 200 if serves else 503
