"""``ferryman trigger``: cron triggers of sync jobs, over the HTTP API."""

from typing import Final
from urllib.parse import quote

import click

from app.cli.calling import (
    JsonArgument,
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
from app.engine.json_types import JsonObject
from app.engine.status import ErrorHandling

_PATH: Final = "/sync-job-cron-trigger"
_FACTS: Final = (
    *("sync_job_id", "integrated_account_id", "timezone", "args", "webhook_id", "daemon_group_key", "error_handling"),
    *("events_to_send", "next_run_at", "last_run"),
)


@click.group()
def trigger() -> None:
    """Create, list, schedule and delete what runs sync jobs by the clock."""


@trigger.command()
@named_argument("sync_job_id")
@named_argument("integrated_account_id")
@click.argument("cron_expression")
@click.option("--timezone", help="The IANA zone whose clock is meant.  [default: UTC]")
@click.option("--args", type=JsonArgument(), help="Arguments of the job: JSON, or @file.")
@click.option("--group", help="Daemon group that carries its runs out.  [default: default]")
@click.option("--webhook", help="Id of a webhook that gets the records, instead of Postgres.")
@click.option(
    "--event", "events", multiple=True, help="An event that the webhook gets; again for more.  [default: all]"
)
@click.option("--error-handling", type=click.Choice([str(kind) for kind in ErrorHandling]), help="What an error does.")
@click.option("--schedule", "enabled", is_flag=True, help="Schedule it too; else it sleeps until 'schedule'.")
@json_option
@connected
def create(  # noqa: PLR0913, PLR0917  # one parameter per option
    client: ApiClient,
    sync_job_id: str,
    integrated_account_id: str,
    cron_expression: str,
    timezone: str | None,
    args: JsonObject | None,
    group: str | None,
    webhook: str | None,
    events: tuple[str, ...],
    error_handling: str | None,
    enabled: bool,
    as_json: bool,
) -> None:
    """Run a sync job for an account whenever CRON_EXPRESSION is due, such as '30 6 * * 1-5'."""
    wishes = {
        "sync_job_id": sync_job_id,
        "integrated_account_id": integrated_account_id,
        "cron_expression": cron_expression,
        "timezone": timezone,
        "args": args,
        "daemon_group_key": group,
        "webhook_id": webhook,
        "events_to_send": list(events) or None,
        "error_handling": error_handling,
        "enabled": enabled or None,
    }
    _print(client.post(_PATH, given(wishes)), as_json=as_json)


@trigger.command("list")
@click.option("--job", "sync_job_id", help="Only triggers of this sync job.")
@click.option("--account", "integrated_account_id", help="Only triggers for this integrated account.")
@limit_option
@json_option
@connected
def list_triggers(
    client: ApiClient, sync_job_id: str | None, integrated_account_id: str | None, limit: int, as_json: bool
) -> None:
    """List triggers, the newest first."""
    filters = {"limit": limit, "sync_job_id": sync_job_id, "integrated_account_id": integrated_account_id}
    page = client.get(_PATH, filters)
    if as_json:
        print_json(page)
        return
    columns = ("id", "cron_expression", "timezone", "enabled", "next_run_at", "sync_job_id", "integrated_account_id")
    print_table(page["result"], columns, none="There are no such triggers.")


@trigger.command()
@named_argument("trigger_id")
@json_option
@connected
def show(client: ApiClient, trigger_id: str, as_json: bool) -> None:
    """Show a trigger: when it is due, and what became of its last due time."""
    _print(client.get(_path(trigger_id)), as_json=as_json)


@trigger.command()
@named_argument("trigger_id")
@json_option
@connected
def schedule(client: ApiClient, trigger_id: str, as_json: bool) -> None:
    """Have a trigger make runs from now on."""
    client.post(f"{_path(trigger_id)}/schedule", {})
    _print(client.get(_path(trigger_id)), as_json=as_json)


@trigger.command()
@named_argument("trigger_id")
@json_option
@connected
def pause(client: ApiClient, trigger_id: str, as_json: bool) -> None:
    """Put a trigger to sleep until it is scheduled again."""
    _print(client.patch(_path(trigger_id), {"enabled": False}), as_json=as_json)


@trigger.command()
@named_argument("trigger_id")
@connected
def delete(client: ApiClient, trigger_id: str) -> None:
    """Remove a trigger; its runs stay."""
    click.echo(f"removed trigger {client.delete(_path(trigger_id))['id']}")


def _path(trigger_id: str) -> str:
    return f"{_PATH}/{quote(trigger_id, safe='')}"


def _print(found: JsonObject, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    state = "scheduled" if found["enabled"] else "asleep"
    print_facts(f"trigger {found['id']}  {found['cron_expression']}  {state}", [(name, found[name]) for name in _FACTS])
