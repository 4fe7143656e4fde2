"""Make the Flask application."""

import logging
import re
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import flask
import orjson
from flask.json.provider import JSONProvider
from flask_smorest import Api, Blueprint

from app.api import docs, errors
from app.api.parsing import RequestParser
from app.api.routes import integrated_accounts, integrations, observed, sync_job_runs, sync_jobs, webhooks
from app.api.services import ApiServices, attach, services
from app.engine.errors import UnauthorizedError
from app.engine.ids import new_id
from app.engine.record_rows import encode
from app.settings import Settings

logger = logging.getLogger(__name__)

_OPEN: Final = re.compile(r"/(?:healthz|openapi\.json|docs(?:/.*)?)?")
_BLUEPRINTS: Final = (
    sync_job_runs.blueprint,
    sync_jobs.blueprint,
    integrations.blueprint,
    integrated_accounts.blueprint,
    webhooks.blueprint,
    observed.records,
    observed.daemons,
)


def create_app(api_services: ApiServices, settings: Settings) -> flask.Flask:
    """Make the application over its services."""
    app = flask.Flask(__name__, static_folder=None)
    app.json = OrjsonProvider(app)
    app.url_map.strict_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = settings.request_limit_bytes
    app.config.update(docs.OPENAPI_CONFIG)
    attach(app, api_services)
    app.before_request(_begin)
    app.after_request(_finish)
    Blueprint.ARGUMENTS_PARSER = RequestParser()
    api = Api(app)
    for blueprint in _BLUEPRINTS:
        api.register_blueprint(blueprint)
    app.register_blueprint(observed.health)
    app.register_blueprint(docs.blueprint)
    docs.describe(api)
    errors.register(app)
    app.wsgi_app = SingleSlashes(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented way
    return app


class OrjsonProvider(JSONProvider):
    """JSON by orjson; integers beyond 64 bits stay exact."""

    def dumps(self, obj: Any, **options: Any) -> str:
        """Write JSON."""
        return encode(obj).decode()

    def loads(self, s: str | bytes, **options: Any) -> Any:
        """Read JSON."""
        return orjson.loads(s)


class SingleSlashes:
    """Collapses ``//`` in paths: the official SDK sends it (wire.md E)."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Pass a request on."""
        environ["PATH_INFO"] = re.sub(r"/{2,}", "/", environ.get("PATH_INFO", "/"))
        return self._application(environ, start_response)


def _begin() -> None:
    """Note the time and name the request; let only those in who have a token."""
    flask.g.started_at = time.perf_counter()
    flask.g.request_id = new_id()
    if _OPEN.fullmatch(flask.request.path):
        return
    scheme, _, secret = flask.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise UnauthorizedError
    flask.g.environment_id = services().tokens.authenticate(secret.strip()).environment_id


def _finish(response: flask.Response) -> flask.Response:
    """Log one line without query and body, which may hold secrets."""
    response.headers["X-Request-Id"] = flask.g.get("request_id", "")
    response.headers["X-Content-Type-Options"] = "nosniff"
    rule = flask.request.url_rule
    facts = {
        "request_id": flask.g.get("request_id"),
        "method": flask.request.method,
        "route": rule.rule if rule else None,
        "status": response.status_code,
        "milliseconds": round((time.perf_counter() - flask.g.get("started_at", time.perf_counter())) * 1000, 1),
    }
    logger.info("request", extra=facts)
    return response
