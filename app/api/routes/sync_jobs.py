"""``/sync-job``."""

from collections.abc import Sequence

from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import seen
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, created, filters_of, page_view, plain_view
from app.api.schemas.fields import Deleted, page_of
from app.api.schemas.jobs import Job, JobPatch, JobQuery, JobVerdict, NewJob
from app.api.schemas.warned import warned
from app.engine.errors import Failure
from app.engine.json_types import JsonObject
from app.engine.objects.objects import SyncJob
from app.engine.roles import Role

sync_jobs = Resource("sync-job", description="What to pull, described once", changes=Role.ADMIN, actions=("validate",))


@sync_jobs.serves("POST", body=NewJob, answer=Job, status=201)
def create_job(body: Body) -> Answer:
    """Create a sync job."""
    return created(plain_view(services().jobs.create(environment(), body.fields, _judged(body))))


@sync_jobs.serves("POST", "/validate", body=NewJob, answer=JobVerdict, role=Role.RUN)
def validate_sync_job(body: Body) -> Answer:
    """Judge a whole job as its creation would, all faults at once, and write nothing."""
    services().jobs.check(environment(), body.fields, _judged(body))
    return {"valid": True}


@sync_jobs.serves("GET", query=JobQuery, answer=page_of(Job))
def list_jobs(query: JsonObject) -> Answer:
    """List sync jobs, newest first."""
    return page_view(services().jobs.list(environment(), filters_of(query)), plain_view)


@sync_jobs.serves("GET", "/<id>", answer=Job)
def get_job(id: str) -> Answer:
    """Show a sync job."""
    return plain_view(services().jobs.get(environment(), id))


@sync_jobs.serves("PATCH", "/<id>", body=JobPatch, answer=Job)
def update_job(body: Body, id: str) -> Answer:
    """Change a sync job; runs that exist keep the job as it was."""
    current = services().jobs.get(environment(), id)
    finish = services().key_changes.of_job(environment(), current.id)
    faults = _judged(body, current)
    changed = services().jobs.update(environment(), current.id, body.fields, faults, seen=seen())
    return warned(plain_view(changed), finish())


@sync_jobs.serves("DELETE", "/<id>", answer=Deleted)
def delete_job(id: str) -> Answer:
    """Remove a sync job; its runs stay."""
    return {"id": services().jobs.delete(environment(), id, seen=seen())}


def _judged(body: Body, current: SyncJob | None = None) -> Sequence[Failure]:
    """Return the faults of a body, with those that the job's integration knows of."""
    name = body.fields.get("integration_name", current and current.integration_name)
    stored = current and current.resources
    return body.judged(services().known_names.of_job(environment(), body.fields, name, stored=stored))
