"""``/sync-job``; and ``/sync-job-template``, with the jobs that are created from templates."""

from collections.abc import Sequence
from http import HTTPStatus

from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import if_match
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, answer_created, location, read_filters, show_page, show_plain
from app.api.schemas import jobs as schemas
from app.api.schemas.fields import Deleted, page_of
from app.api.schemas.save_warnings import add_warnings
from app.engine.errors import Failure
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role
from app.engine.objects.jobs import JobTemplate, SyncJob

sync_jobs = Resource("sync-job", description="What to pull, described once", changes=Role.ADMIN, actions=("validate",))
sync_job_templates = Resource("sync-job-template", description="What sync jobs begin with", changes=Role.ADMIN)


@sync_jobs.serves("POST", body=schemas.NewJob, answer=schemas.Job, status=201)
def create_job(body: Body) -> Answer:
    """Create a sync job."""
    return answer_created(show_plain(services().jobs.create(environment(), body.fields, _judge(body))))


@sync_jobs.serves("POST", "/validate", body=schemas.NewJob, answer=schemas.JobVerdict, role=Role.RUN)
def validate_sync_job(body: Body) -> Answer:
    """Validate a job as its creation does, with all faults at once, without creating it."""
    services().jobs.check(environment(), body.fields, _judge(body))
    return {"valid": True}


@sync_jobs.serves("GET", query=schemas.JobQuery, answer=page_of(schemas.Job))
def list_jobs(query: JsonObject) -> Answer:
    """List sync jobs, newest first."""
    return show_page(services().jobs.list(environment(), read_filters(query)), show_plain)


@sync_jobs.serves("GET", "/<id>", answer=schemas.Job)
def get_job(id: str) -> Answer:
    """Show a sync job."""
    return show_plain(services().jobs.get(environment(), id))


@sync_jobs.serves("PATCH", "/<id>", body=schemas.JobPatch, answer=schemas.Job)
def update_job(body: Body, id: str) -> Answer:
    """Change a sync job; runs that exist keep the job as it was."""
    current = services().jobs.get(environment(), id)
    finish = services().key_changes.watch_job(environment(), current.id)
    faults = _judge(body, current)
    changed = services().jobs.update(environment(), current.id, body.fields, faults, seen=if_match())
    return add_warnings(show_plain(changed), finish())


@sync_jobs.serves("DELETE", "/<id>", answer=Deleted)
def delete_job(id: str) -> Answer:
    """Remove a sync job; its runs stay."""
    return {"id": services().jobs.delete(environment(), id, seen=if_match())}


@sync_job_templates.serves("POST", body=schemas.NewTemplate, answer=schemas.Template, status=201)
def create_template(body: Body) -> Answer:
    """Create a template."""
    return answer_created(show_plain(services().templates.create(environment(), body.fields, _judge(body))))


@sync_job_templates.serves("GET", query=schemas.TemplateQuery, answer=page_of(schemas.Template))
def list_templates(query: JsonObject) -> Answer:
    """List templates, newest first."""
    return show_page(services().templates.list(environment(), read_filters(query)), show_plain)


@sync_job_templates.serves("GET", "/<id>", answer=schemas.Template)
def get_template(id: str) -> Answer:
    """Show a template."""
    return show_plain(services().templates.get(environment(), id))


@sync_job_templates.serves("PATCH", "/<id>", body=schemas.TemplatePatch, answer=schemas.Template)
def update_template(body: Body, id: str) -> Answer:
    """Change a template; jobs that were created from it stay as they are."""
    current = services().templates.get(environment(), id)
    faults = _judge(body, current)
    found = services().templates.update(environment(), current.id, body.fields, faults, seen=if_match())
    return show_plain(found)


@sync_job_templates.serves("DELETE", "/<id>", answer=Deleted)
def delete_template(id: str) -> Answer:
    """Remove a template; jobs that were created from it stay."""
    return {"id": services().templates.delete(environment(), id, seen=if_match())}


@sync_job_templates.serves("POST", "/<id>/sync-job", body=schemas.JobPatch, answer=schemas.Job, status=201)
def create_sync_job_of_template(body: Body, id: str) -> Answer:
    """Create a sync job that begins as the template; what the body holds replaces the template's."""
    current = services().templates.get(environment(), id)
    job = services().templates.create_job(environment(), current.id, body.fields, _judge(body, current))
    return show_plain(job), HTTPStatus.CREATED, location(f"/sync-job/{job.id}")


def _judge(body: Body, current: SyncJob | JobTemplate | None = None) -> Sequence[Failure]:
    """Return the faults of a body, and those that its integration knows of, if it names one."""
    name = body.fields.get("integration_name", current and current.integration_name)
    stored = current and current.resources
    return body.judge(services().known_names.judge_job(environment(), body.fields, name, stored=stored))
