"""``/sync-job-template``, and the jobs that are made of it."""

from http import HTTPStatus

from app.api.parsing import Body
from app.api.preconditions import seen
from app.api.resource import Resource
from app.api.schemas.catalog import Job, JobPatch
from app.api.schemas.fields import Deleted, page_of
from app.api.schemas.templates import NewTemplate, Template, TemplatePatch, TemplateQuery
from app.api.services import environment, services
from app.api.views import Answer, created, filters_of, location, page_view, path_id, plain_view
from app.engine.json_types import JsonObject
from app.engine.roles import Role

sync_job_templates = Resource("sync-job-template", description="What sync jobs begin with", changes=Role.ADMIN)

_KIND = "sync job template"


@sync_job_templates.serves("POST", body=NewTemplate, answer=Template, status=201)
def create_template(body: Body) -> Answer:
    """Create a template."""
    return created(plain_view(services().templates.create(environment(), body.fields, body.faults)))


@sync_job_templates.serves("GET", query=TemplateQuery, answer=page_of(Template))
def list_templates(query: JsonObject) -> Answer:
    """List templates, newest first."""
    return page_view(services().templates.list(environment(), filters_of(query)), plain_view)


@sync_job_templates.serves("GET", "/<id>", answer=Template)
def get_template(id: str) -> Answer:
    """Show a template."""
    return plain_view(services().templates.get(environment(), path_id(_KIND, id)))


@sync_job_templates.serves("PATCH", "/<id>", body=TemplatePatch, answer=Template)
def update_template(body: Body, id: str) -> Answer:
    """Change a template; jobs that were made of it stay as they are."""
    found = services().templates.update(environment(), path_id(_KIND, id), body.fields, body.faults, seen=seen())
    return plain_view(found)


@sync_job_templates.serves("DELETE", "/<id>", answer=Deleted)
def delete_template(id: str) -> Answer:
    """Remove a template; jobs that were made of it stay."""
    return {"id": services().templates.delete(environment(), path_id(_KIND, id), seen=seen())}


@sync_job_templates.serves("POST", "/<id>/sync-job", body=JobPatch, answer=Job, status=201)
def create_job_of_template(body: Body, id: str) -> Answer:
    """Create a sync job that begins as the template; what the body holds replaces the template's."""
    job = services().templates.make_job(environment(), path_id(_KIND, id), body.fields, body.faults)
    return plain_view(job), HTTPStatus.CREATED, location(f"/sync-job/{job.id}")
