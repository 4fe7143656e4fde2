"""The Flask application."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import flask
import orjson
from flask.json.provider import JSONProvider

from app.api import docs
from app.api.access import cross_origin, gate
from app.api.access.forwarded import BehindProxies
from app.api.documents import overview, run_stats, shapes
from app.api.documents.field_schemas import DescribingPlugin
from app.api.errors.handlers import ErrorAwareApi
from app.api.resources.resource import OtherThan
from app.api.resources.services import ApiServices, attach
from app.api.routes.custom import custom
from app.api.routes.destinations import datastores, destinations
from app.api.routes.direct import proxy, unified
from app.api.routes.environment_integrations import environment_integrations
from app.api.routes.exports import exports
from app.api.routes.integrated_accounts import integrated_accounts, own_accounts
from app.api.routes.integrations import integrations
from app.api.routes.logs import logs
from app.api.routes.notifications.destinations import notification_destinations
from app.api.routes.notifications.incidents import incidents
from app.api.routes.notifications.rules import notification_rules
from app.api.routes.observed import audit_entries, daemons, erasures, records
from app.api.routes.of_runs.bulk_actions import bulk_actions
from app.api.routes.of_runs.sync_job_run_states import sync_job_run_states
from app.api.routes.schemas import schemas
from app.api.routes.service import service
from app.api.routes.sync_job_cron_triggers import sync_job_cron_triggers
from app.api.routes.sync_job_runs import sync_job_runs
from app.api.routes.sync_jobs import sync_job_templates, sync_jobs
from app.api.routes.tenants import tenants
from app.api.routes.tokens import api_tokens, environments
from app.api.routes.unified_mappings import environment_mappings, unified_mappings
from app.api.routes.unified_models import installed_models, unified_models
from app.api.routes.webhooks import webhooks
from app.engine.json_types import JSON
from app.net.addresses import TrustedProxies
from app.settings import Settings

_RESOURCES: Final = (
    sync_job_runs,
    bulk_actions,
    sync_jobs,
    sync_job_cron_triggers,
    sync_job_run_states,
    sync_job_templates,
    integrations,
    environment_integrations,
    integrated_accounts,
    own_accounts,
    tenants,
    webhooks,
    datastores,
    destinations,
    notification_destinations,
    notification_rules,
    incidents,
    records,
    exports,
    erasures,
    schemas,
    daemons,
    logs,
    audit_entries,
    unified,
    proxy,
    custom,
    unified_models,
    unified_mappings,
    installed_models,
    environment_mappings,
    api_tokens,
    environments,
)


def create_app(services: ApiServices, settings: Settings) -> flask.Flask:
    """Return the application over its services."""
    app = Threaded(__name__, static_folder=None)
    app.json = ExactJson(app)
    app.url_map.strict_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = settings.request_limit_bytes
    app.config.update(overview.CONFIG)
    attach(app, services)
    cross_origin.allow(app, settings.cors_origins)
    gate.guard(app)
    app.url_map.converters["other_than"] = OtherThan
    api = ErrorAwareApi(app, spec_kwargs={"marshmallow_plugin": DescribingPlugin()})
    for name, schema in (*shapes.components(), *run_stats.COMPONENTS.items()):
        api.spec.components.schema(name, schema)
    for resource in _RESOURCES:
        api.register_blueprint(resource)
    app.register_blueprint(service)
    app.register_blueprint(docs.blueprint)
    proxies = TrustedProxies.parse(settings.trusted_proxies)
    # Flask's documented way.
    app.wsgi_app = BehindProxies(SingleSlashes(app.wsgi_app), proxies)  # type: ignore[method-assign]
    return app


class Threaded(flask.Flask):
    """A Flask of plain functions: it need not look at each of them, at each call, whether it is a coroutine."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function."""
        return func


class ExactJson(JSONProvider):
    """JSON by orjson, or by the standard library where that fails, such as for integers beyond 64 bits."""

    def dumps(self, obj: JSON, **_: Any) -> str:
        """Write JSON."""
        try:
            return orjson.dumps(obj).decode()
        except TypeError:
            return json.dumps(obj)

    def loads(self, s: str | bytes, **_: Any) -> JSON:
        """Read JSON."""
        return json.loads(s)


class SingleSlashes:
    """Collapses ``//`` in paths: the official SDKs send it (docs/wire.md E)."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Pass a request on."""
        environ["PATH_INFO"] = re.sub(r"/{2,}", "/", environ.get("PATH_INFO", "/"))
        return self._application(environ, start_response)
