"""``/sync-job-template``, and the jobs that are made of it."""

from collections.abc import Sequence
from http import HTTPStatus

from app.api.parsing.parsing import Body
from app.api.parsing.preconditions import seen
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, created, filters_of, location, page_view, plain_view
from app.api.schemas.fields import Deleted, page_of
from app.api.schemas.jobs import Job, JobPatch, NewTemplate, Template, TemplatePatch, TemplateQuery
from app.engine.errors import Failure
from app.engine.json_types import JsonObject
from app.engine.objects.templates import JobTemplate
from app.engine.roles import Role

sync_job_templates = Resource("sync-job-template", description="What sync jobs begin with", changes=Role.ADMIN)


@sync_job_templates.serves("POST", body=NewTemplate, answer=Template, status=201)
def create_template(body: Body) -> Answer:
    """Create a template."""
    return created(plain_view(services().templates.create(environment(), body.fields, _judged(body))))


@sync_job_templates.serves("GET", query=TemplateQuery, answer=page_of(Template))
def list_templates(query: JsonObject) -> Answer:
    """List templates, newest first."""
    return page_view(services().templates.list(environment(), filters_of(query)), plain_view)


@sync_job_templates.serves("GET", "/<id>", answer=Template)
def get_template(id: str) -> Answer:
    """Show a template."""
    return plain_view(services().templates.get(environment(), id))


@sync_job_templates.serves("PATCH", "/<id>", body=TemplatePatch, answer=Template)
def update_template(body: Body, id: str) -> Answer:
    """Change a template; jobs that were made of it stay as they are."""
    current = services().templates.get(environment(), id)
    faults = _judged(body, current)
    found = services().templates.update(environment(), current.id, body.fields, faults, seen=seen())
    return plain_view(found)


@sync_job_templates.serves("DELETE", "/<id>", answer=Deleted)
def delete_template(id: str) -> Answer:
    """Remove a template; jobs that were made of it stay."""
    return {"id": services().templates.delete(environment(), id, seen=seen())}


@sync_job_templates.serves("POST", "/<id>/sync-job", body=JobPatch, answer=Job, status=201)
def create_sync_job_of_template(body: Body, id: str) -> Answer:
    """Create a sync job that begins as the template; what the body holds replaces the template's."""
    current = services().templates.get(environment(), id)
    job = services().templates.create_job(environment(), current.id, body.fields, _judged(body, current))
    return plain_view(job), HTTPStatus.CREATED, location(f"/sync-job/{job.id}")


def _judged(body: Body, current: JobTemplate | None = None) -> Sequence[Failure]:
    """Return the faults of a body, with those that the template's integration knows of, if it names one."""
    name = body.fields.get("integration_name", current and current.integration_name)
    stored = current and current.resources
    return body.judged(services().known_names.of_job(environment(), body.fields, name, stored=stored))
