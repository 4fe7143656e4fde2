"""``ferryman account``: customers' accounts at third parties, over the HTTP API."""

from typing import Final

import click

from app.cli.calling import JsonArgument, connected, json_option, named_argument, print_facts, print_json
from app.cli.next_steps import tell_next
from app.cli.objects.budgets import budget
from app.cli.objects.builder import add_commands, print_thing
from app.cli.objects.kinds import Field, Kind, NextStep
from app.cli.operating.origins import approve_origin
from app.client import ApiClient
from app.engine.json_types import JsonObject


def _after_create(account: JsonObject) -> NextStep:
    return "job", "list", "--integration", account["integration_name"]


ACCOUNT: Final = Kind(
    word="integrated account",
    group="account",
    path="/integrated-account",
    columns=("id", "tenant_id", "integration_name", "status", "created_at"),
    facts=("tenant_id", "authentication_method", "last_error", "last_forbidden_error", "context", "created_at"),
    title=lambda account: f"integrated account {account['id']}  {account['integration_name']}  {account['status']}",
    arguments=("integration_name", "tenant_id"),
    fields=(
        Field(name="tenant_id", option="--tenant", is_creatable=False, help="The customer that it is of."),
        Field(
            name="context",
            option="--context",
            kind=JsonArgument(),
            help="Its credentials and whatever else its integration asks for: JSON, @file, or @- for stdin.",
        ),
        Field(name="authentication_method", option="--method", help="How it signs in, such as api_key or oauth2."),
        Field(
            name="integration_override",
            option="--integration-override",
            kind=JsonArgument(),
            help="Laid over its integration's config: JSON, or @file.",
        ),
    ),
    filters=(
        Field(name="integration_name", option="--integration", help="Only accounts of this integration."),
        Field(name="tenant_id", option="--tenant", help="Only accounts of this customer."),
        Field(name="status", option="--status", help="Only accounts in this status, such as needs_reauth."),
    ),
    after_create=_after_create,
)


@click.group()
def account() -> None:
    """Create, list, show, change and remove customers' accounts, their budgets, and where their secrets go."""


add_commands(
    account,
    ACCOUNT,
    {
        "create": "Create an account of a customer (TENANT_ID) at a third party.",
        "list": "List accounts, the newest first.",
        "show": "Show an account; its credentials are masked.",
        "update": "Change an account: its context is merged, and new credentials are tried.",
    },
)


@account.command()
@named_argument("account_id", metavar="ID")
@click.option("--erase", is_flag=True, help="Erase it at once, with all that is held of it.")
@json_option
@connected
def delete(client: ApiClient, account_id: str, erase: bool, as_json: bool) -> None:
    """Remove an account; 'restore' brings it back until it is erased with all that is held of it."""
    removed = client.delete(f"{ACCOUNT.place(client, account_id)}{'?erase=true' if erase else ''}")
    if as_json:
        print_json(removed)
        return
    click.echo(f"removed integrated account {removed['id']}")
    if erase:
        tell_next("account", "list")
    else:
        tell_next("account", "restore", removed["id"], why="undoes it, until it is erased")


@account.command()
@named_argument("account_id", metavar="ID")
@json_option
@connected
def restore(client: ApiClient, account_id: str, as_json: bool) -> None:
    """Undo the removal of an account that is not erased yet."""
    restored = client.post(f"{ACCOUNT.path}/restore", {"id": account_id})
    print_thing(ACCOUNT, restored, as_json=as_json)
    if not as_json:
        tell_next("account", "show", account_id)


@account.command()
@named_argument("account_id", metavar="ID")
@json_option
@connected
def refresh(client: ApiClient, account_id: str, as_json: bool) -> None:
    """Renew an account's OAuth 2 token now."""
    refreshed = client.post(f"{ACCOUNT.path}/refresh-credentials", {"id": account_id})
    if as_json:
        print_json(refreshed)
        return
    print_facts(ACCOUNT.title(refreshed), [("last_error", refreshed["last_error"])])
    tell_next("run", "list", "--account", account_id)


account.add_command(approve_origin)
account.add_command(budget)
