"""``/sync-job-run``."""

import hashlib
from dataclasses import asdict
from typing import Any

import flask
from flask_smorest import Blueprint

from app.api.parsing import json_body
from app.api.schemas import runs as schemas
from app.api.schemas.fields import Deleted, Listing, page_of, take_times
from app.api.services import environment, services
from app.api.views import created, deleted, page, path_id
from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JsonObject
from app.engine.record_rows import encode
from app.engine.run_view import run_view
from app.engine.status import RunStatus
from app.services.runs import RunFilters, RunRequest

blueprint = Blueprint("sync-job-run", __name__, url_prefix="/sync-job-run", description="Runs of sync jobs")

_KIND = "sync job run"
_LONGEST_KEY = 255


@blueprint.post("")
@blueprint.arguments(schemas.RunInput, error_status_code=400)
@blueprint.response(201, schemas.Run)
def create_run(body: JsonObject) -> Any:
    """Create a run; a repeat with the same Idempotency-Key gives the first one's run."""
    run, is_replay = services().runs.create(
        environment(), RunRequest(**body), idempotency_key=_idempotency_key(), body_hash=_body_hash()
    )
    if is_replay:
        return run_view(run), 200, {"Idempotency-Replayed": "true"}
    return created(run_view(run), run.id)


@blueprint.get("")
@blueprint.arguments(schemas.RunQuery, location="query", error_status_code=400)
@blueprint.response(200, page_of(schemas.Run))
def list_runs(query: JsonObject) -> Any:
    """List runs, newest first."""
    statuses = query.get("status") or query.get("status_in")
    filters = RunFilters(
        sync_job_id=query.get("sync_job_id"),
        integrated_account_id=query.get("integrated_account_id"),
        status=_known_statuses(statuses) if statuses else None,
        times=take_times(query, "created_at", "updated_at"),
        sort=query["sort"],
    )
    found = services().runs.list(environment(), filters, limit=query["limit"], cursor=query["next_cursor"])
    return page(found, run_view)


@blueprint.get("/<run_id>")
@blueprint.response(200, schemas.Run)
def get_run(run_id: str) -> Any:
    """Show a run."""
    return run_view(services().runs.get(environment(), path_id(_KIND, run_id)))


@blueprint.patch("/<run_id>")
@blueprint.arguments(schemas.RunPatch, error_status_code=400)
@blueprint.response(200, schemas.Run)
def stop_run(body: JsonObject, run_id: str) -> Any:
    """Stop a run: ``{"status": "stopped"}``."""
    return run_view(services().runs.stop(environment(), path_id(_KIND, run_id)))


@blueprint.delete("/<run_id>")
@blueprint.response(200, Deleted)
def delete_run(run_id: str) -> Any:
    """Stop a live run, or remove one that has ended; its records stay."""
    return deleted(services().runs.delete(environment(), path_id(_KIND, run_id)))


@blueprint.get("/<run_id>/errors")
@blueprint.arguments(Listing, location="query", error_status_code=400)
@blueprint.response(200, page_of(schemas.RunError))
def list_errors(query: JsonObject, run_id: str) -> Any:
    """List the errors of a run, oldest first."""
    found = services().runs.errors(
        environment(), path_id(_KIND, run_id), limit=query["limit"], cursor=query["next_cursor"]
    )
    return page(found, asdict)


def _idempotency_key() -> str | None:
    key = flask.request.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= _LONGEST_KEY:
        raise InvalidInputError([Failure("Idempotency-Key", f"expected 1 to {_LONGEST_KEY} characters")])
    return key


def _body_hash() -> bytes:
    return hashlib.sha256(encode(json_body(flask.request))).digest()


def _known_statuses(text: str) -> list[str]:
    wanted = text.split(",")
    known = [str(status) for status in RunStatus]
    if unknown := [status for status in wanted if status not in known]:
        raise InvalidInputError([Failure("status", f"'{unknown[0]}' is none of {', '.join(known)}")])
    return wanted
