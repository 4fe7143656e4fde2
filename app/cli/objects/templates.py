"""``ferryman template``: what sync jobs begin with, over the HTTP API."""

from typing import Final

import click

from app.cli.calling import Answer, JsonArgument, JsonValue, add_named_argument, call_api, drop_none
from app.cli.objects.builder import answer_object, build_group
from app.cli.objects.jobs import JOB
from app.cli.objects.kinds import Field, Kind
from app.client import ApiClient

TEMPLATE: Final = Kind(
    word="template",
    group="template",
    path="/sync-job-template",
    columns=("id", "label", "integration_name", "description"),
    facts=("integration_name", "description", "resources"),
    title=lambda template: f"template {template['id']}  {template['label']}",
    arguments=("label",),
    fields=(
        Field(name="label", option="--label", is_creatable=False, help="What people call it."),
        Field(
            name="resources",
            option="--resources",
            kind=JsonValue(),
            is_required=True,
            help="The list of resources: JSON, or @file.",
        ),
        Field(
            name="integration_name",
            option="--integration",
            help="The integration that its jobs are for.  [default: each job names its own]",
        ),
        Field(name="description", option="--description", help="What it is for."),
        Field(
            name="args_schema",
            option="--args-schema",
            kind=JsonArgument(),
            help="What arguments its jobs take: JSON, or @file.",
        ),
    ),
    filters=(Field(name="integration_name", option="--integration", help="Only templates of this integration."),),
    after_create=lambda template: ("template", "use", template["id"]),
)


template: Final = build_group(
    TEMPLATE,
    "Create, list, use and delete templates of sync jobs.",
    create="Create a template.",
    list="List templates, the newest first.",
    show="Show a template.",
    update="Change a template; jobs that were made of it stay as they are.",
    delete="Remove a template; jobs that were made of it stay.",
)


@template.command()
@add_named_argument("template_id", metavar="ID")
@click.option("--integration", "integration_name", help="The integration of the job, where the template has none.")
@click.option("--label", help="The job's label.  [default: the template's]")
@call_api
def use(client: ApiClient, template_id: str, **fields: str | None) -> Answer:
    """Create a sync job that begins as a template."""
    job = client.post(f"{TEMPLATE.path_of(template_id)}/sync-job", drop_none({**fields}))
    return answer_object(JOB, job, ("account", "list", "--integration", job["integration_name"]))
