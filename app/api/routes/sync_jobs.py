"""``/sync-job``."""

from dataclasses import asdict
from typing import Any

from flask_smorest import Blueprint

from app.api.schemas import catalog as schemas
from app.api.schemas.fields import Deleted, page_of
from app.api.services import environment, services
from app.api.views import created, deleted, filters_of, page, path_id
from app.engine.json_types import JsonObject
from app.engine.objects import SyncJob

blueprint = Blueprint("sync-job", __name__, url_prefix="/sync-job", description="What to pull, described once")

_KIND = "sync job"


@blueprint.post("")
@blueprint.arguments(schemas.JobInput, error_status_code=400)
@blueprint.response(201, schemas.Job)
def create_job(body: JsonObject) -> Any:
    """Create a sync job."""
    job = services().jobs.create(environment(), body)
    return created(_view(job), job.id)


@blueprint.get("")
@blueprint.arguments(schemas.JobQuery, location="query", error_status_code=400)
@blueprint.response(200, page_of(schemas.Job))
def list_jobs(query: JsonObject) -> Any:
    """List sync jobs, newest first."""
    return page(services().jobs.list(environment(), filters_of(query)), _view)


@blueprint.get("/<job_id>")
@blueprint.response(200, schemas.Job)
def get_job(job_id: str) -> Any:
    """Show a sync job."""
    return _view(services().jobs.get(environment(), path_id(_KIND, job_id)))


@blueprint.patch("/<job_id>")
@blueprint.arguments(schemas.JobInput(partial=True), error_status_code=400)
@blueprint.response(200, schemas.Job)
def update_job(body: JsonObject, job_id: str) -> Any:
    """Change a sync job."""
    return _view(services().jobs.update(environment(), path_id(_KIND, job_id), body))


@blueprint.delete("/<job_id>")
@blueprint.response(200, Deleted)
def delete_job(job_id: str) -> Any:
    """Remove a sync job; its runs stay."""
    return deleted(services().jobs.delete(environment(), path_id(_KIND, job_id)))


def _view(job: SyncJob) -> JsonObject:
    return asdict(job)
