"""``ferryman audit``: who changed what, over the HTTP API."""

from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

import click

from app.actors import ActorKind
from app.cli.calling import Answer, add_named_argument, call_api, limit_option, print_facts, print_page
from app.cli.options import Span
from app.client import ApiClient
from app.engine.times import format_utc

_PATH: Final = "/audit-entry"
_COLUMNS: Final = ("created_at", "action", "object_id", "actor_kind", "actor_name", "id")
_FACTS: Final = (
    *("action", "object_type", "object_id", "integrated_account_id", "actor_kind", "actor_name", "actor_id"),
    *("operation", "request_id", "remote_address", "created_at", "before", "after"),
)


@click.group()
def audit() -> None:
    """List and show changes: by API, command line and dashboard."""


@audit.command("list")
@click.option("--type", "object_type", help="Only of objects of this type, such as webhook.")
@click.option("--object", "object_id", help="Only of the object with this id.")
@click.option("--account", "integrated_account_id", help="Only of what belongs to this integrated account.")
@click.option("--action", help="Only these, such as webhook.updated.")
@click.option("--actor", "actor_id", help="Only those by the API token with this id.")
@click.option(
    "--actor-kind", type=click.Choice([str(kind) for kind in ActorKind]), help="Only those by callers of this kind."
)
@click.option("--since", type=Span(), metavar="SPAN", help="Only those of the last 90m, 12h, 30d, 8w.")
@limit_option
@call_api
def list_entries(client: ApiClient, since: timedelta | None, limit: int, **filters: str | None) -> Answer:
    """List changes, the newest first."""
    after = None if since is None else format_utc(datetime.now(UTC) - since)
    page = client.get(_PATH, {**filters, "created_at[gte]": after, "limit": limit})
    return Answer(page, lambda: print_page(page, _COLUMNS, limit=limit, none="There are no such changes."))


@audit.command()
@add_named_argument("entry_id", metavar="ID")
@call_api
def show(client: ApiClient, entry_id: str) -> Answer:
    """Show a change: who made it, and what was there before and after."""
    found = client.get(f"{_PATH}/{quote(entry_id, safe='')}")
    facts = [(name, found[name]) for name in _FACTS]
    return Answer(found, lambda: print_facts(f"audit entry {found['id']}", facts))
