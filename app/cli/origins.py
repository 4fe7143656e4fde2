"""``ferryman account`` and ``ferryman integration``: what an operator decides about where secrets go."""

from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from app.cli.options import stack_option
from app.cli.services import api_services
from app.cli.terminal import print_table


@click.group()
def account() -> None:
    """Approve where accounts' secrets go.

    Works on the database that DATABASE_URL names, else on the stack that 'ferryman up' runs here.
    """


@account.command("approve-origin")
@click.argument("account_ids", metavar="ID...", nargs=-1, required=True, type=click.UUID)
@stack_option
def approve_origin(account_ids: tuple[object, ...], data_dir: Path | None) -> None:
    """Let the secrets of accounts go where their integrations lead now, and print these origins."""
    approval = api_services(data_dir).origin_approval
    for id in map(str, account_ids):
        click.echo(f"{id}: {', '.join(approval.approve_account(id))}")


@click.group()
def integration() -> None:
    """Find integrations that do not say where their secrets may go, and approve where they go.

    Works on the database that DATABASE_URL names, else on the stack that 'ferryman up' runs here.
    """


@integration.command("check-hosts")
@stack_option
def check_hosts(data_dir: Path | None) -> None:
    """List the integrations that hold secrets, let accounts choose the host, and have no allowed_hosts.

    Their calls are refused (host_not_allowed) until these are listed. Ends with 1 where there are some.
    """
    table = Table("id", "name", "environment", box=None, pad_edge=False)
    for found in api_services(data_dir).origin_approval.without_hosts():
        table.add_row(found.id, escape(found.name), found.environment_id)
    if not table.row_count:
        click.echo("All integrations say where their secrets may go.")
        return
    print_table(table)
    raise SystemExit(1)


@integration.command("approve-hosts")
@click.argument("integration_id", metavar="ID", type=click.UUID)
@stack_option
def approve_hosts(integration_id: object, data_dir: Path | None) -> None:
    """Let an integration's own secrets go to the hosts that its config names now, and print these."""
    hosts = api_services(data_dir).origin_approval.approve_integration(str(integration_id))
    click.echo(", ".join(hosts) or "It holds no secrets of its own.")
