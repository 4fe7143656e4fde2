"""``ferryman daemon``: run a daemon; list and show all of them, over the HTTP API."""

from typing import Any, Final
from urllib.parse import quote

import click

from app.cli.calling import Answer, add_named_argument, call_api, limit_option, print_facts, print_page
from app.cli.options import concurrency_option, group_option, stack_option
from app.client import ApiClient

_PATH: Final = "/daemon"
_COLUMNS: Final = ("id", "group_key", "status", "last_active_at", "consumed_at", "label")
_FACTS: Final = ("label", "group_key", "last_active_at", "consumed_at", "created_at", "metadata")


@click.group(invoke_without_command=True, short_help="Run a daemon of one group; list and show all.")
@group_option
@click.option("--id", "daemon_id", help="Id of this daemon; a fresh one by default. Never use one twice at a time.")
@concurrency_option
@stack_option
@click.pass_context
def daemon(context: click.Context, /, **options: Any) -> None:
    """Run a daemon: a Celery worker that handles the runs of one daemon group.

    Reads DATABASE_URL, BROKER_URL and FERRYMAN_ENCRYPTION_KEY from the environment, unless --data-dir is given.
    """
    if context.invoked_subcommand is not None:
        return
    # What starts a daemon takes a while to load, which the other commands need not wait for.
    from app.cli.processes import become_daemon  # noqa: PLC0415

    become_daemon(**options)


@daemon.command("list")
@click.option("--group", "group_key", help="Only daemons of this group.")
@limit_option
@call_api
def list_daemons(client: ApiClient, group_key: str | None, limit: int) -> Answer:
    """List daemons, and when each last took a message."""
    page = client.get(_PATH, {"group_key": group_key, "limit": limit, "sort": "-updated_at"})
    return Answer(page, lambda: print_page(page, _COLUMNS, limit=limit, none="There are no such daemons."))


@daemon.command()
@add_named_argument("daemon_id", metavar="ID")
@call_api
def show(client: ApiClient, daemon_id: str) -> Answer:
    """Show a daemon, what it runs with, and which of its duties fail."""
    found = client.get(f"{_PATH}/{quote(daemon_id, safe='')}")
    facts = [(name, found[name]) for name in _FACTS]
    return Answer(found, lambda: print_facts(f"daemon {found['id']}  {found['status']}", facts))
