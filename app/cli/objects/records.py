"""``ferryman record``: what runs have brought, over the HTTP API."""

from typing import Final
from urllib.parse import urlencode

import click

from app.cli.calling import connected, json_option, limit_option, named_argument, print_facts, print_json, print_table
from app.cli.next_steps import tell_next
from app.client import ApiClient
from app.engine.errors import NotFoundError
from app.engine.json_types import JsonObject

_PATH: Final = "/record"
_FACTS: Final = ("data", "sync_job_run_id", "sequence", "created_at", "updated_at", "synced_at", "deleted_at")
_PAGE: Final = 1000


@click.group()
def record() -> None:
    """List, show, restore and erase records that runs have brought."""


@record.command("list")
@named_argument("account_id", metavar="ACCOUNT")
@click.option("--resource", help="Only records of this resource.")
@click.option("--run", "sync_job_run_id", help="Only those whose last change this run has brought.")
@click.option("--with-deleted", is_flag=True, help="Also those that have vanished upstream.")
@limit_option
@json_option
@connected
def list_records(  # one parameter per option
    client: ApiClient,
    account_id: str,
    resource: str | None,
    sync_job_run_id: str | None,
    with_deleted: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List the records of an account."""
    query = {
        "integrated_account_id": account_id,
        "resource": resource,
        "sync_job_run_id": sync_job_run_id,
        "with_deleted": "true" if with_deleted else None,
        "limit": limit,
    }
    page = client.get(_PATH, query)
    if as_json:
        print_json(page)
        return
    print_table(page["result"], ("resource", "id", "updated_at", "data"), none="There are no such records.")
    if page["next_cursor"]:
        click.echo(f"There are more: --limit {min(_PAGE, 10 * limit)} shows them.", err=True)


@record.command()
@named_argument("account_id", metavar="ACCOUNT")
@named_argument("resource")
@named_argument("record_id")
@json_option
@connected
def show(client: ApiClient, account_id: str, resource: str, record_id: str, as_json: bool) -> None:
    """Show the record of an account's resource that the upstream calls RECORD_ID."""
    query = {"integrated_account_id": account_id, "resource": resource, "id": record_id, "with_deleted": "true"}
    found = client.get(_PATH, query)["result"]
    if not found:
        raise NotFoundError(f"record of {resource}", record_id)
    if as_json:
        print_json(found[0])
    else:
        print_facts(f"{resource} {record_id}", [(name, found[0][name]) for name in _FACTS])


@record.command()
@named_argument("account_id", metavar="ACCOUNT")
@named_argument("run_id", metavar="RUN")
@click.option("--resource", help="Only records of this resource.")
@json_option
@connected
def restore(client: ApiClient, account_id: str, run_id: str, resource: str | None, as_json: bool) -> None:
    """Bring back the records of an account that a run has deleted."""
    wanted: JsonObject = {"integrated_account_id": account_id, "sync_job_run_id": run_id}
    done = client.post(f"{_PATH}/restore", wanted | ({"resource": resource} if resource else {}))
    if as_json:
        print_json(done)
        return
    click.echo(f"restored {done['restored']:,} records")
    tell_next("record", "list", account_id)


@record.command()
@named_argument("account_id", metavar="ACCOUNT")
@named_argument("resource")
@json_option
@connected
def erase(client: ApiClient, account_id: str, resource: str, as_json: bool) -> None:
    """Erase in the background what is held now of an account's resource."""
    query = urlencode({"integrated_account_id": account_id, "resource": resource})
    erasure = client.delete(f"{_PATH}?{query}")
    if as_json:
        print_json(erasure)
        return
    click.echo(f"erasure {erasure['id']} is {erasure['status']}")
    tell_next("record", "list", account_id, "--resource", resource)
