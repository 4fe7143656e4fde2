"""``/sync-job-run``."""

import hashlib
import json

import flask

from app.api.parsing import preferences
from app.api.parsing.parsing import Body, read_json_object
from app.api.parsing.preconditions import if_match
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.traced import mark_run
from app.api.resources.views import Answer, answer_created, read_filters, show_page, show_plain
from app.api.schemas.fields import Deleted, Listing, page_of
from app.api.schemas.of_runs.dry_runs import DryRun
from app.api.schemas.runs import (
    NewRun,
    Run,
    RunError,
    RunPatch,
    RunQuery,
    RunResume,
    RunVerification,
    RunWait,
    RunWaits,
)
from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role
from app.engine.objects.runs import SyncJobRun, show_run
from app.engine.status import ErrorHandling, RunStatus
from app.services.runs.requests import IdempotencyKey, RunRequest

sync_job_runs = Resource("sync-job-run", description="Runs of sync jobs", changes=Role.RUN)

_LONGEST_KEY = 255
_IDEMPOTENCY: JsonObject = {
    "parameters": [
        {
            "in": "header",
            "name": "Idempotency-Key",
            "description": "Within 24 hours a repeat with the same key returns the same run.",
            "schema": {"type": "string", "minLength": 1, "maxLength": _LONGEST_KEY},
        },
        {
            "in": "query",
            "name": "dry_run",
            "description": "true: show the plan, the first requests and the roots' first pages, and write nothing.",
            "schema": {"type": "boolean"},
            "allowEmptyValue": True,
        },
    ],
    "responses": {
        "422": "UNPROCESSABLE_ENTITY",
        "200": {
            "description": "The run that an earlier request with this Idempotency-Key made, or what a dry run found",
            "content": {"application/json": {"schema": {"anyOf": [Run, DryRun]}}},
        },
    },
}


@sync_job_runs.serves("POST", body=NewRun, answer=Run, status=201, documented=_IDEMPOTENCY)
def create_run(body: Body) -> Answer | flask.Response:
    """Create a run; a repeat with the same Idempotency-Key returns the run of the first request."""
    fields = body.fields
    faults = body.judge(services().known_names.judge_run(environment(), fields, fields.get("integrated_account_id")))
    if "error_handling" in fields:
        fields["error_handling"] = ErrorHandling(fields["error_handling"])
    if _is_dry():
        return flask.jsonify(services().runs.try_out(environment(), RunRequest(**fields), faults=faults))
    run, is_replay = services().runs.create(
        environment(), RunRequest(**fields), idempotency=_read_idempotency_key(), faults=faults
    )
    mark_run(run.id)
    preferences.apply_respond_async()
    run = _await_end(run)
    return (show_run(run), 200, {"Idempotency-Replayed": "true"}) if is_replay else answer_created(show_run(run))


@sync_job_runs.serves("GET", query=RunQuery, answer=page_of(Run))
def list_runs(query: JsonObject) -> Answer:
    """List runs, newest first."""
    return show_page(services().runs.list(environment(), read_filters(query)), show_run)


@sync_job_runs.serves("GET", "/<id>", query=RunWait, answer=Run)
def get_run(query: JsonObject, id: str) -> Answer:
    """Show a run; with ``wait=30`` once it has ended, or after 30 seconds."""
    run = services().runs.get(environment(), id)
    return show_run(_await_end(run, asked=query.get("wait")))


@sync_job_runs.serves("PATCH", "/<id>", body=RunPatch, answer=Run)
def stop_run(body: Body, id: str) -> Answer:
    """Stop a run by ``{"status": "stopped"}``; a body without a status, or with the present one, changes nothing."""
    runs, status = services().runs, body.require_valid().get("status")
    run = runs.get(environment(), id)
    if status in (None, run.status):
        return show_run(run)
    if status != RunStatus.STOPPED:
        raise InvalidInputError([Failure("status", "a run can only be set to 'stopped'")])
    mark_run(run.id)
    return show_run(runs.stop(environment(), run.id))


@sync_job_runs.serves("POST", "/<id>/resume", body=RunResume, answer=Run)
def resume_sync_job_run(body: Body, id: str) -> Answer:
    """Resume a run that has ended from its cursors; a live one stays as it is."""
    wishes = body.require_valid()
    run = services().runs.resume(environment(), id, errors_only=wishes.get("errors_only", False))
    mark_run(run.id)
    return show_run(run)


@sync_job_runs.serves("GET", "/<id>/waits", answer=RunWaits)
def explain_run(id: str) -> Answer:
    """Show what a run waits for, and how fast its upstream answers compared with the usual pace."""
    found = services().reading.diagnosis.explain(environment(), id)
    return {
        **show_plain(found),
        "waits": [show_plain(wait) for wait in found.waits],
        "resources": [show_plain(resource) for resource in found.resources],
    }


@sync_job_runs.serves("GET", "/<id>/verify", answer=RunVerification)
def verify_sync_job_run(id: str) -> Answer:
    """Recount a run's books from its units, errors, events and records."""
    found = services().runs.verify(environment(), id)
    shown = ("resource", "equation", "left", "right", "holds")
    checks = [{name: getattr(check, name) for name in shown} for check in found.checks]
    return {"id": found.run_id, "status": found.status, "balanced": found.is_balanced, "checks": checks}


@sync_job_runs.serves("DELETE", "/<id>", answer=Deleted)
def delete_run(id: str) -> Answer:
    """Stop a live run, or remove one that has ended; its records stay."""
    return {"id": services().runs.delete(environment(), id, seen=if_match())}


@sync_job_runs.serves("GET", "/<id>/errors", query=Listing, answer=page_of(RunError))
def list_sync_job_run_errors(query: JsonObject, id: str) -> Answer:
    """List the errors of a run, oldest first."""
    found = services().runs.list_errors(environment(), id, limit=query["limit"], cursor=query.get("next_cursor"))
    return show_page(found, show_plain)


def _await_end(run: SyncJobRun, *, asked: int | None = None) -> SyncJobRun:
    """Return a run once it has ended, or after the seconds ``asked`` or preferred, or at once if too many wait."""
    if flask.request.method not in ("GET", "POST"):
        return run  # it is only compared with the caller's If-Match
    wished = preferences.wait_seconds() if asked is None else 0
    waited = services().run_waits.wait(run, seconds=asked or wished)
    if wished and waited is not None:
        preferences.mark_applied(f"wait={wished}")
    return waited or run


def _is_dry() -> bool:
    wish = flask.request.args.get("dry_run", "")
    if wish not in ("", "true", "false"):
        raise InvalidInputError([Failure("dry_run", "expected true or false")])
    return wish == "true"


def _read_idempotency_key() -> IdempotencyKey | None:
    key = flask.request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= _LONGEST_KEY:
        raise InvalidInputError([Failure("Idempotency-Key", f"expected 1 to {_LONGEST_KEY} characters")])
    # The same JSON in another notation is the same request.
    canonical = json.dumps(read_json_object(flask.request), sort_keys=True).encode()
    return IdempotencyKey(key=key, body_hash=hashlib.sha256(canonical).digest())
