"""``ferryman webhook``: secrets of webhooks, over the HTTP API."""

from datetime import timedelta

import click

from app.cli.calling import connected, json_option, named_argument, print_json
from app.cli.tokens import Span
from app.client import ApiClient


@click.group()
def webhook() -> None:
    """Replace the secrets that sign what webhooks are sent."""


@webhook.command("rotate-secret")
@named_argument("webhook_id")
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
    replaced = client.post(f"/webhook/{webhook_id}/rotate-secret", {"overlap_seconds": seconds})
    if as_json:
        print_json(replaced)
        return
    click.echo(replaced["secret"])
    until = replaced["previous_secret_expires_at"]
    click.echo(
        f"The secret before it signs too until {until}." if until else "The secret before it has ended.", err=True
    )
