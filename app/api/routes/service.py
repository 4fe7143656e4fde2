"""``/``, ``/ping``, ``/healthz`` and ``/metrics``: the service itself.

``/metrics`` is what Prometheus scrapes, over all environments; it has a token of its own, an operator's.
"""

import hmac
import os
from typing import Final

import flask
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from app import meters
from app.api.resources.fleet_metrics import FleetCollector
from app.api.resources.roles import needs
from app.api.resources.services import services
from app.engine.errors import NotFoundError, UnauthorizedError
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import Role

service = flask.Blueprint("service", __name__)

SHARED_VALUES: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where the processes of the API put their values together."""


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


@service.get("/metrics")
@needs(Role.ADMIN)
def read_metrics() -> flask.Response:
    """Return the metrics in the format that the scraper asks for; raise UnauthorizedError, StoreUnavailableError."""
    _check_token()
    registry = CollectorRegistry()
    registry.register(FleetCollector(services().reading.fleet.read()))
    if os.environ.get(SHARED_VALUES):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(meters.REGISTRY)
    encode, content_type = choose_encoder(flask.request.headers.get("Accept", ""))
    return flask.Response(encode(registry), content_type=content_type)


@service.get("/metrics/targets")
@needs(Role.ADMIN)
def list_targets() -> JSON:
    """List where daemons serve their metrics, as Prometheus' HTTP service discovery reads it."""
    _check_token()
    targets = services().reading.fleet.list_targets()
    return [
        {"targets": [target.address], "labels": {"group": target.group_key, "daemon": target.label}}
        for target in targets
    ]


def _check_token() -> None:
    """Raise NotFoundError where metrics are not served, UnauthorizedError for another token."""
    token = services().reading.metrics_token
    if not token:
        raise NotFoundError("page", "/metrics")
    scheme, _, secret = flask.request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(secret.strip().encode(), token.encode()):
        raise UnauthorizedError
