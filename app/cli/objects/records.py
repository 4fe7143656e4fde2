"""``ferryman record``: the records that runs fetched, over the HTTP API."""

from typing import Final
from urllib.parse import urlencode

import click

from app.cli.calling import (
    Answer,
    add_named_argument,
    call_api,
    drop_none,
    limit_option,
    print_facts,
    print_page,
)
from app.client import ApiClient
from app.engine.errors import NotFoundError

_PATH: Final = "/record"
_COLUMNS: Final = ("resource", "id", "updated_at", "data")
_FACTS: Final = ("data", "sync_job_run_id", "sequence", "created_at", "updated_at", "synced_at", "deleted_at")


@click.group()
def record() -> None:
    """List, show, restore and erase records that runs have brought."""


@record.command("list")
@add_named_argument("account_id", metavar="ACCOUNT")
@click.option("--resource", help="Only records of this resource.")
@click.option("--run", "sync_job_run_id", help="Only those whose last change this run has brought.")
@click.option("--with-deleted", is_flag=True, help="Also those that have vanished upstream.")
@limit_option
@call_api
def list_records(client: ApiClient, account_id: str, with_deleted: bool, limit: int, **filters: str | None) -> Answer:
    """List the records of an account."""
    query = {"integrated_account_id": account_id, **filters, "with_deleted": "true" if with_deleted else None}
    page = client.get(_PATH, {**query, "limit": limit})
    return Answer(page, lambda: print_page(page, _COLUMNS, limit=limit, none="There are no such records."))


@record.command()
@add_named_argument("account_id", metavar="ACCOUNT")
@add_named_argument("resource")
@add_named_argument("record_id")
@call_api
def show(client: ApiClient, account_id: str, resource: str, record_id: str) -> Answer:
    """Show the record of an account's resource that the upstream calls RECORD_ID."""
    query = {"integrated_account_id": account_id, "resource": resource, "id": record_id, "with_deleted": "true"}
    found = client.get(_PATH, query)["result"]
    if not found:
        raise NotFoundError(f"record of {resource}", record_id)
    facts = [(name, found[0][name]) for name in _FACTS]
    return Answer(found[0], lambda: print_facts(f"{resource} {record_id}", facts))


@record.command()
@add_named_argument("account_id", metavar="ACCOUNT")
@add_named_argument("run_id", metavar="RUN")
@click.option("--resource", help="Only records of this resource.")
@call_api
def restore(client: ApiClient, account_id: str, run_id: str, resource: str | None) -> Answer:
    """Bring back the records of an account that a run has deleted."""
    body = {"integrated_account_id": account_id, "sync_job_run_id": run_id, "resource": resource}
    done = client.post(f"{_PATH}/restore", drop_none(body))
    return Answer(done, f"restored {done['restored']:,} records", ("record", "list", account_id))


@record.command()
@add_named_argument("account_id", metavar="ACCOUNT")
@add_named_argument("resource")
@call_api
def erase(client: ApiClient, account_id: str, resource: str) -> Answer:
    """Erase in the background what is held now of an account's resource."""
    erasure = client.delete(f"{_PATH}?{urlencode({'integrated_account_id': account_id, 'resource': resource})}")
    next_step = ("record", "list", account_id, "--resource", resource)
    return Answer(erasure, f"erasure {erasure['id']} is {erasure['status']}", next_step)
