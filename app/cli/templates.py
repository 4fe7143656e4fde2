"""``ferryman template``: what sync jobs begin with, over the HTTP API."""

from typing import Final
from urllib.parse import quote

import click

from app.cli.calling import (
    JsonArgument,
    JsonValue,
    connected,
    given,
    json_option,
    limit_option,
    named_argument,
    print_facts,
    print_json,
    print_table,
)
from app.client import ApiClient
from app.engine.json_types import JSON, JsonObject

_PATH: Final = "/sync-job-template"


@click.group()
def template() -> None:
    """Create, list, use and delete templates of sync jobs."""


@template.command()
@click.argument("label")
@click.option("--resources", type=JsonValue(), required=True, help="The list of resources: JSON, or @file.")
@click.option("--integration", help="The integration that its jobs are for.  [default: each job names its own]")
@click.option("--description", help="What it is for.")
@click.option("--args-schema", type=JsonArgument(), help="What arguments its jobs take: JSON, or @file.")
@json_option
@connected
def create(  # one parameter per option
    client: ApiClient,
    label: str,
    resources: JSON,
    integration: str | None,
    description: str | None,
    args_schema: JsonObject | None,
    as_json: bool,
) -> None:
    """Create a template."""
    wishes = {
        "label": label,
        "resources": resources,
        "integration_name": integration,
        "description": description,
        "args_schema": args_schema,
    }
    _print(client.post(_PATH, given(wishes)), as_json=as_json)


@template.command("list")
@click.option("--integration", "integration_name", help="Only templates of this integration.")
@limit_option
@json_option
@connected
def list_templates(client: ApiClient, integration_name: str | None, limit: int, as_json: bool) -> None:
    """List templates, the newest first."""
    page = client.get(_PATH, {"limit": limit, "integration_name": integration_name})
    if as_json:
        print_json(page)
        return
    columns = ("id", "label", "integration_name", "description")
    print_table(page["result"], columns, none="There are no such templates.")


@template.command()
@named_argument("template_id")
@json_option
@connected
def show(client: ApiClient, template_id: str, as_json: bool) -> None:
    """Show a template."""
    _print(client.get(_path(template_id)), as_json=as_json)


@template.command()
@named_argument("template_id")
@click.option("--integration", help="The integration that the job is for, where the template names none.")
@click.option("--label", help="The job's label.  [default: the template's]")
@json_option
@connected
def use(client: ApiClient, template_id: str, integration: str | None, label: str | None, as_json: bool) -> None:
    """Create a sync job that begins as a template."""
    job = client.post(f"{_path(template_id)}/sync-job", given({"integration_name": integration, "label": label}))
    if as_json:
        print_json(job)
    else:
        facts = [(name, job[name]) for name in ("label", "integration_name", "resources")]
        print_facts(f"sync job {job['id']}", facts)


@template.command()
@named_argument("template_id")
@connected
def delete(client: ApiClient, template_id: str) -> None:
    """Remove a template; jobs that were made of it stay."""
    click.echo(f"removed template {client.delete(_path(template_id))['id']}")


def _path(template_id: str) -> str:
    return f"{_PATH}/{quote(template_id, safe='')}"


def _print(found: JsonObject, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    facts = [(name, found[name]) for name in ("integration_name", "description", "resources")]
    print_facts(f"template {found['id']}  {found['label']}", facts)
