"""``ferryman state``: what is kept from one run to the next, over the HTTP API."""

from typing import Final
from urllib.parse import quote, urlencode

import click

from app.cli.calling import (
    Answer,
    JsonValue,
    add_named_argument,
    call_api,
    drop_none,
    limit_option,
    print_facts,
    print_page,
)
from app.cli.next_steps import NextStep
from app.client import ApiClient
from app.engine.json_types import JSON, JsonObject

_PATH: Final = "/sync-job-run-state"
_COLUMNS: Final = ("key", "value", "updated_at")
_FACTS: Final = ("value", "sync_job_run_id", "updated_at")


@click.group()
def state() -> None:
    """List, show, set and delete the states of a state key.

    A run's state key is what its job's state_key resolves to; 'ferryman run show --json' has it.
    """


@state.command("list")
@add_named_argument("state_key")
@limit_option
@call_api
def list_states(client: ApiClient, state_key: str, limit: int) -> Answer:
    """List the states of a state key, the newest first."""
    page = client.get(_PATH, {"state_key": state_key, "limit": limit})
    return Answer(page, lambda: print_page(page, _COLUMNS, limit=limit, none="There are no such states."))


@state.command()
@add_named_argument("state_key")
@add_named_argument("key")
@call_api
def show(client: ApiClient, state_key: str, key: str) -> Answer:
    """Show a state."""
    return _answer(client.get(_path(state_key, key)))


@state.command("set")
@add_named_argument("state_key")
@add_named_argument("key")
@click.argument("value", type=JsonValue())
@click.option("--run", "sync_job_run_id", help="The run that it is written for.")
@call_api
def set_state(client: ApiClient, state_key: str, key: str, value: JSON, sync_job_run_id: str | None) -> Answer:
    """Keep VALUE, JSON or @file, in the place of what was kept; a text needs its quotes: '"..."'."""
    body = {"state_key": state_key, "key": key, "value": value, **drop_none({"sync_job_run_id": sync_job_run_id})}
    return _answer(client.post(_PATH, body), ("state", "list", state_key))


@state.command()
@add_named_argument("state_key")
@add_named_argument("key")
@call_api
def delete(client: ApiClient, state_key: str, key: str) -> Answer:
    """Delete a state."""
    removed = client.delete(_path(state_key, key))
    return Answer(removed, f"removed {key} of {state_key}", ("state", "list", state_key))


def _path(state_key: str, key: str) -> str:
    return f"{_PATH}/{quote(key, safe='')}?{urlencode({'state_key': state_key})}"


def _answer(found: JsonObject, next_step: NextStep = ()) -> Answer:
    title, facts = f"{found['key']} of {found['state_key']}", [(name, found[name]) for name in _FACTS]
    return Answer(found, lambda: print_facts(title, facts), next_step)
