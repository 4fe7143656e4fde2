"""``ferryman account budget``: what was learned of an account's limits, over the HTTP API."""

from urllib.parse import quote

import click

from app.cli.calling import connected, json_option, named_argument, print_facts, print_json, print_table
from app.cli.next_steps import tell_next
from app.client import ApiClient
from app.engine.json_types import JSON, JsonObject


@click.group()
def budget() -> None:
    """Show and reset what was learned of an account's limits."""


@budget.command()
@named_argument("account_id", metavar="ID")
@json_option
@connected
def show(client: ApiClient, account_id: str, as_json: bool) -> None:
    """Show how many requests an account may make, until when it is paused, and which runs wait for that."""
    found = client.get(_path(account_id))
    if as_json:
        print_json(found)
        return
    print_facts(f"budget of account {account_id}", _facts(found))
    if found["parked_runs"]:
        print_table(found["parked_runs"], ("run_id", "units", "wakes_at"), none="")
        tell_next("account", "budget", "reset", account_id, why="lets them go on now")


@budget.command()
@named_argument("account_id", metavar="ID")
@json_option
@connected
def reset(client: ApiClient, account_id: str, as_json: bool) -> None:
    """Forget what was learned of an account's limits: the runs that wait for them go on at once."""
    done = client.delete(_path(account_id))
    if as_json:
        print_json(done)
        return
    click.echo(f"The budget of account {account_id} begins anew; {len(done['runs'])} runs that waited go on.")
    if done["runs"]:
        tell_next("run", "follow", done["runs"][0])
    else:
        tell_next("run", "list", "--account", account_id)


def _facts(found: JsonObject) -> list[tuple[str, JSON]]:
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


def _path(account_id: str) -> str:
    return f"/integrated-account/{quote(account_id, safe='')}/budget"
