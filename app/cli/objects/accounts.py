"""``ferryman account``: customers' accounts at third parties and their rate budgets, over the HTTP API."""

from typing import Final

import click

from app.cli.calling import (
    Answer,
    JsonArgument,
    add_named_argument,
    call_api,
    print_facts,
    print_table,
)
from app.cli.objects.builder import answer_object, build_group
from app.cli.objects.kinds import Field, Kind
from app.cli.operating.origins import approve_origin
from app.client import ApiClient
from app.engine.json_types import JSON, JsonObject
from app.engine.status import AccountStatus

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
        Field(
            name="status",
            option="--status",
            kind=click.Choice([AccountStatus.ACTIVE.value, AccountStatus.INACTIVE.value]),
            is_creatable=False,
            help="Inactive: its API is not called, and its runs wait, until it is active again.",
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
    after_create=lambda account: ("job", "list", "--integration", account["integration_name"]),
)

account: Final = build_group(
    ACCOUNT,
    "Create, list, show, change and remove customers' accounts, their budgets, and where their secrets go.",
    create="Create an account of a customer (TENANT_ID) at a third party.",
    list="List accounts, the newest first.",
    show="Show an account; its credentials are masked.",
    update="Change an account: its context is merged, and new credentials are tried.",
)


@account.command()
@add_named_argument("account_id", metavar="ID")
@click.option("--erase", is_flag=True, help="Erase it at once, with all that is held of it.")
@call_api
def delete(client: ApiClient, account_id: str, erase: bool) -> Answer:
    """Remove an account; 'restore' brings it back until it is erased with all that is held of it."""
    removed = client.delete(f"{ACCOUNT.path_of(account_id)}{'?erase=true' if erase else ''}")
    text = f"removed integrated account {removed['id']}"
    if erase:
        return Answer(removed, text, ("account", "list"))
    return Answer(removed, text, ("account", "restore", removed["id"]), why="undoes it, until it is erased")


@account.command()
@add_named_argument("account_id", metavar="ID")
@call_api
def restore(client: ApiClient, account_id: str) -> Answer:
    """Undo the removal of an account that is not erased yet."""
    restored = client.post(f"{ACCOUNT.path}/restore", {"id": account_id})
    return answer_object(ACCOUNT, restored, ("account", "show", account_id))


@account.command()
@add_named_argument("account_id", metavar="ID")
@call_api
def refresh(client: ApiClient, account_id: str) -> Answer:
    """Renew an account's OAuth 2 token now."""
    refreshed = client.post(f"{ACCOUNT.path}/refresh-credentials", {"id": account_id})
    facts = [("last_error", refreshed["last_error"])]
    next_step = ("run", "list", "--account", account_id)
    return Answer(refreshed, lambda: print_facts(ACCOUNT.title(refreshed), facts), next_step)


account.add_command(approve_origin)


@account.group()
def budget() -> None:
    """Show and reset what was learned of an account's limits."""


@budget.command("show")
@add_named_argument("account_id", metavar="ID")
@call_api
def show_budget(client: ApiClient, account_id: str) -> Answer:
    """Show how many requests an account may make, until when it is paused, and which runs wait for that."""
    found = client.get(f"{ACCOUNT.path_of(account_id)}/budget")
    waiting = found["parked_runs"]

    def show() -> None:
        print_facts(f"budget of account {account_id}", _budget_facts(found))
        if waiting:
            print_table(waiting, ("run_id", "units", "wakes_at"), none="")

    next_step = ("account", "budget", "reset", account_id) if waiting else ()
    return Answer(found, show, next_step, why="lets them go on now")


@budget.command()
@add_named_argument("account_id", metavar="ID")
@call_api
def reset(client: ApiClient, account_id: str) -> Answer:
    """Delete what was learned of an account's limits: the runs that wait for them go on at once."""
    done = client.delete(f"{ACCOUNT.path_of(account_id)}/budget")
    runs = done["runs"]
    text = f"The budget of account {account_id} begins anew; {len(runs)} runs that waited go on."
    return Answer(done, text, ("run", "follow", runs[0]) if runs else ("run", "list", "--account", account_id))


def _budget_facts(found: JsonObject) -> list[tuple[str, JSON]]:
    if not found["is_shared"]:
        return [("kept", "in each daemon, without Redis: it is not seen here")]
    if not found["is_reachable"]:
        return [("known", "nothing at the moment: Redis, where budgets are, can not be reached")]
    if not found["is_known"]:
        return [("known", "nothing: no request was made in the last hour, or it was reset")]
    names = ("paused_until", "requests_at_once", "under_way", "waiting", "refusals_in_a_row", "quota")
    pace = found["requests_per_second"]
    return [
        *((name, found[name]) for name in names),
        ("requests_per_second", "as many as are answered" if pace is None else round(pace, 2)),
    ]
