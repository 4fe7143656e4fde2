"""``ferryman webhook``: where records and events are sent, over the HTTP API."""

from datetime import timedelta
from typing import Final
from urllib.parse import quote

import click

from app.cli.calling import connected, given, json_option, limit_option, named_argument, print_json, print_table
from app.cli.next_steps import tell_next
from app.cli.objects.builder import add_commands
from app.cli.objects.kinds import Field, Kind
from app.cli.spans import Span
from app.client import ApiClient

WEBHOOK: Final = Kind(
    word="webhook",
    group="webhook",
    path="/webhook",
    columns=("id", "target_url", "is_active", "failing_since", "created_at"),
    facts=(
        *("secret", "event_types", "changes_only", "signature_encoding", "failing_since", "disabled_reason"),
        *("previous_secret_expires_at", "created_at"),
    ),
    title=lambda webhook: (
        f"webhook {webhook['id']}  {webhook['target_url']}  {'active' if webhook['is_active'] else 'inactive'}"
    ),
    arguments=("target_url",),
    fields=(
        Field(name="target_url", option="--target-url", is_creatable=False, help="Where it is sent from now on."),
        Field(
            name="event_types",
            option="--event",
            is_multiple=True,
            help="An event that it gets, such as sync_job_run:failed; again for more.  [default: all]",
        ),
        Field(
            name="signature_encoding",
            option="--signature",
            kind=click.Choice(["hex", "base64"]),
            help="How signatures are written.",
        ),
        Field(
            name="changes_only",
            option="--changes-only/--all-records",
            help="Whether it gets what has changed since it was last told, or every record.",
        ),
        Field(name="is_active", option="--active/--inactive", help="Whether anything is sent to it."),
    ),
    after_create=lambda webhook: ("webhook", "test", webhook["id"]),
)


@click.group()
def webhook() -> None:
    """Create, list, show, change, test and remove webhooks, and see what was sent to them."""


add_commands(
    webhook,
    WEBHOOK,
    {
        "create": "Create a webhook, and print the secret that signs what it is sent, which is shown this once.",
        "list": "List webhooks, the newest first.",
        "show": "Show a webhook.",
        "update": "Change a webhook; '--active' has all that waits sent at once.",
        "delete": "Remove a webhook; events that wait for it are given up.",
    },
)


@webhook.command()
@named_argument("webhook_id", metavar="ID")
@json_option
@connected
def test(client: ApiClient, webhook_id: str, as_json: bool) -> None:
    """Send a test event to a webhook now; exit code 1 unless its receiver takes it."""
    done = client.post(f"{WEBHOOK.path}/test", {"id": webhook_id})
    if as_json:
        print_json(done)
        return
    click.echo("Its receiver took the event.")
    tell_next("run", "create", "JOB", "ACCOUNT", "--webhook", webhook_id)


@webhook.command()
@named_argument("webhook_id", metavar="ID")
@click.option("--status", help="Only those in this status, such as pending or dead_lettered.")
@click.option("--run", "sync_job_run_id", help="Only those of this run.")
@click.option("--event", help="Only those of this event, such as sync_job_run:record.")
@limit_option
@json_option
@connected
def deliveries(  # one parameter per option
    client: ApiClient,
    webhook_id: str,
    status: str | None,
    sync_job_run_id: str | None,
    event: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List what was sent to a webhook, or waits for it, the newest first."""
    filters = given({"status": status, "sync_job_run_id": sync_job_run_id, "event": event})
    page = client.get(f"{_path(webhook_id)}/deliveries", {"limit": limit, **filters})
    if as_json:
        print_json(page)
        return
    columns = ("id", "created_at", "event", "status", "records", "attempts", "last_status_code", "last_error")
    print_table(page["result"], columns, none="There are no such deliveries.")


@webhook.command()
@named_argument("webhook_id", metavar="ID")
@named_argument("delivery_id")
@json_option
@connected
def retry(client: ApiClient, webhook_id: str, delivery_id: str, as_json: bool) -> None:
    """Send a delivery again, or at once if it waits; its id stays the same."""
    again = client.post(f"{_path(webhook_id)}/deliveries/{quote(delivery_id, safe='')}/retry")
    if as_json:
        print_json(again)
        return
    click.echo(f"delivery {again['id']} is {again['status']}")
    tell_next("webhook", "deliveries", webhook_id)


@webhook.command("rotate-secret")
@named_argument("webhook_id", metavar="ID")
@click.option(
    "--overlap",
    type=Span(),
    default="1d",
    show_default=True,
    metavar="SPAN",
    help="How long the present secret signs beside the new one: 90m, 12h, 7d, 30d at most.",
)
@click.option("--at-once", is_flag=True, help="End the present secret now, as when somebody else knows it.")
@json_option
@connected
def rotate_secret(client: ApiClient, webhook_id: str, overlap: timedelta, at_once: bool, as_json: bool) -> None:
    """Give a webhook a new secret, and print it, which is the only time that it can be seen."""
    seconds = 0 if at_once else int(overlap.total_seconds())
    replaced = client.post(f"{_path(webhook_id)}/rotate-secret", {"overlap_seconds": seconds})
    if as_json:
        print_json(replaced)
        return
    click.echo(replaced["secret"])
    until = replaced["previous_secret_expires_at"]
    click.echo(
        f"The secret before it signs too until {until}." if until else "The secret before it has ended.", err=True
    )
    tell_next("webhook", "test", webhook_id, why="once its receiver has the new secret")


def _path(webhook_id: str) -> str:
    return f"{WEBHOOK.path}/{quote(webhook_id, safe='')}"
