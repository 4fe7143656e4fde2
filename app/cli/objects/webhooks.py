"""``ferryman webhook``: where records and events are sent, over the HTTP API."""

from datetime import timedelta
from typing import Final
from urllib.parse import quote

import click

from app.cli.calling import Answer, add_named_argument, call_api, limit_option, print_page
from app.cli.objects.builder import build_group
from app.cli.objects.kinds import Field, Kind
from app.cli.options import Span
from app.client import ApiClient

_DELIVERY_COLUMNS: Final = (
    *("id", "created_at", "event", "status", "records", "attempts", "last_status_code", "last_error"),
)

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
            help="Whether it gets what has changed since the last delivery, or every record.",
        ),
        Field(name="is_active", option="--active/--inactive", help="Whether anything is sent to it."),
    ),
    after_create=lambda webhook: ("webhook", "test", webhook["id"]),
)


webhook: Final = build_group(
    WEBHOOK,
    "Create, list, show, change, test and remove webhooks, and see what was sent to them.",
    create="Create a webhook, and print the secret that signs what it is sent, which is shown this once.",
    list="List webhooks, the newest first.",
    show="Show a webhook.",
    update="Change a webhook; '--active' has all that waits sent at once.",
    delete="Remove a webhook; events that wait for it are given up.",
)


@webhook.command()
@add_named_argument("webhook_id", metavar="ID")
@call_api
def test(client: ApiClient, webhook_id: str) -> Answer:
    """Send a test event to a webhook now; exit code 1 unless its receiver takes it."""
    done = client.post(f"{WEBHOOK.path}/test", {"id": webhook_id})
    next_step = ("run", "create", "JOB", "ACCOUNT", "--webhook", webhook_id)
    return Answer(done, "Its receiver took the event.", next_step)


@webhook.command()
@add_named_argument("webhook_id", metavar="ID")
@click.option("--status", help="Only those in this status, such as pending or dead_lettered.")
@click.option("--run", "sync_job_run_id", help="Only those of this run.")
@click.option("--event", help="Only those of this event, such as sync_job_run:record.")
@limit_option
@call_api
def deliveries(client: ApiClient, webhook_id: str, limit: int, **filters: str | None) -> Answer:
    """List what was sent to a webhook, or waits for it, the newest first."""
    page = client.get(f"{WEBHOOK.path_of(webhook_id)}/deliveries", {"limit": limit, **filters})
    return Answer(page, lambda: print_page(page, _DELIVERY_COLUMNS, limit=limit, none="There are no such deliveries."))


@webhook.command()
@add_named_argument("webhook_id", metavar="ID")
@add_named_argument("delivery_id")
@call_api
def retry(client: ApiClient, webhook_id: str, delivery_id: str) -> Answer:
    """Send a delivery again, or at once if it waits; its id stays the same."""
    again = client.post(f"{WEBHOOK.path_of(webhook_id)}/deliveries/{quote(delivery_id, safe='')}/retry")
    return Answer(again, f"delivery {again['id']} is {again['status']}", ("webhook", "deliveries", webhook_id))


@webhook.command("rotate-secret")
@add_named_argument("webhook_id", metavar="ID")
@click.option(
    "--overlap",
    type=Span(),
    default="1d",
    show_default=True,
    metavar="SPAN",
    help="How long the present secret signs beside the new one: 90m, 12h, 7d, 30d at most.",
)
@click.option("--at-once", is_flag=True, help="End the present secret now, as when somebody else knows it.")
@call_api
def rotate_secret(client: ApiClient, webhook_id: str, overlap: timedelta, at_once: bool) -> Answer:
    """Replace a webhook's secret, and print the new one, which is the only time that it can be seen."""
    seconds = 0 if at_once else int(overlap.total_seconds())
    replaced = client.post(f"{WEBHOOK.path_of(webhook_id)}/rotate-secret", {"overlap_seconds": seconds})
    until = replaced["previous_secret_expires_at"]

    def show() -> None:
        click.echo(replaced["secret"])
        ends = f"signs too until {until}" if until else "has ended"
        click.echo(f"The secret before it {ends}.", err=True)

    return Answer(replaced, show, ("webhook", "test", webhook_id), why="once its receiver has the new secret")
