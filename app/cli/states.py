"""``ferryman state``: what is kept from one run to the next, over the HTTP API."""

from typing import Final
from urllib.parse import quote, urlencode

import click

from app.cli.calling import (
    JsonValue,
    connected,
    json_option,
    limit_option,
    named_argument,
    print_facts,
    print_json,
    print_table,
)
from app.cli.next_steps import tell_next
from app.client import ApiClient
from app.engine.json_types import JSON, JsonObject

_PATH: Final = "/sync-job-run-state"


@click.group()
def state() -> None:
    """List, show, set and delete the states of a state key.

    A run's state key is what its job's state_key resolves to; 'ferryman run show --json' has it.
    """


@state.command("list")
@named_argument("state_key")
@limit_option
@json_option
@connected
def list_states(client: ApiClient, state_key: str, limit: int, as_json: bool) -> None:
    """List the states of a state key, the newest first."""
    page = client.get(_PATH, {"state_key": state_key, "limit": limit})
    if as_json:
        print_json(page)
    else:
        print_table(page["result"], ("key", "value", "updated_at"), none="There are no such states.")


@state.command()
@named_argument("state_key")
@named_argument("key")
@json_option
@connected
def show(client: ApiClient, state_key: str, key: str, as_json: bool) -> None:
    """Show a state."""
    _print(client.get(_path(state_key, key)), as_json=as_json)


@state.command("set")
@named_argument("state_key")
@named_argument("key")
@click.argument("value", type=JsonValue())
@click.option("--run", "sync_job_run_id", help="The run that it is written for.")
@json_option
@connected
def set_state(  # one parameter per option
    client: ApiClient, state_key: str, key: str, value: JSON, sync_job_run_id: str | None, as_json: bool
) -> None:
    """Keep VALUE, JSON or @file, in the place of what was kept; a text needs its quotes: '"..."'."""
    body = {"state_key": state_key, "key": key, "value": value}
    written = {**body, "sync_job_run_id": sync_job_run_id} if sync_job_run_id else body
    _print(client.post(_PATH, written), as_json=as_json)
    if not as_json:
        tell_next("state", "list", state_key)


@state.command()
@named_argument("state_key")
@named_argument("key")
@json_option
@connected
def delete(client: ApiClient, state_key: str, key: str, as_json: bool) -> None:
    """Forget a state."""
    removed = client.delete(_path(state_key, key))
    if as_json:
        print_json(removed)
        return
    click.echo(f"removed {key} of {state_key}")
    tell_next("state", "list", state_key)


def _path(state_key: str, key: str) -> str:
    return f"{_PATH}/{quote(key, safe='')}?{urlencode({'state_key': state_key})}"


def _print(found: JsonObject, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    facts = [(name, found[name]) for name in ("value", "sync_job_run_id", "updated_at")]
    print_facts(f"{found['key']} of {found['state_key']}", facts)
