"""``/record``, ``/daemon``, ``/ping``, ``/healthz`` and ``/``: what there is to see."""

from dataclasses import asdict
from typing import Any

import flask
from flask_smorest import Blueprint

from app.api.schemas import observed as schemas
from app.api.schemas.fields import page_of, take_times
from app.api.services import environment, services
from app.api.views import page
from app.engine.json_types import JsonObject
from app.services.records import RecordFilters

records = Blueprint("record", __name__, url_prefix="/record", description="What was persisted")
daemons = Blueprint("daemon", __name__, url_prefix="/daemon", description="Who does the work")
health = flask.Blueprint("health", __name__)


@records.get("")
@records.arguments(schemas.RecordQuery, location="query", error_status_code=400)
@records.response(200, page_of(schemas.Record))
def list_records(query: JsonObject) -> Any:
    """List an account's records, by resource and id."""
    times = take_times(query, "synced_at", "updated_at", "created_at")
    filters = RecordFilters(
        integrated_account_id=query["integrated_account_id"],
        resource=query["resource"],
        sync_job_run_id=query["sync_job_run_id"],
        times=times,
        limit=query["limit"],
        cursor=query["next_cursor"],
    )
    return page(services().records.list(environment(), filters))


@daemons.get("")
@daemons.arguments(schemas.DaemonQuery, location="query", error_status_code=400)
@daemons.response(200, page_of(schemas.Daemon))
def list_daemons(query: JsonObject) -> Any:
    """List daemons by id."""
    found = services().daemons.list(limit=query["limit"], cursor=query["next_cursor"], group_key=query["group_key"])
    return page(found, asdict)


@daemons.get("/<daemon_id>")
@daemons.response(200, schemas.Daemon)
def get_daemon(daemon_id: str) -> Any:
    """Show a daemon."""
    return asdict(services().daemons.get(daemon_id))


@health.get("/ping")
def ping() -> JsonObject:
    """Answer a client that checks its token."""
    return {"ping": "pong"}


@health.get("/healthz")
def healthz() -> Any:
    """Tell whether Postgres and Redis are there, and how many daemons each group has."""
    is_well, found = services().health.check()
    return found, 200 if is_well else 503


@health.get("/")
def index() -> JsonObject:
    """Tell where things are."""
    return {"name": "ferryman", "docs": "/docs", "openapi": "/openapi.json", "health": "/healthz"}
