"""What an operator decides about where secrets go: commands that work on the database."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.bootstrap.operator_secrets import build_origin_approval
from app.cli.calling import json_option, print_json, print_table
from app.cli.next_steps import print_next_step
from app.cli.operating.operators import read_operator_settings
from app.cli.options import stack_option

if TYPE_CHECKING:
    from app.services.accounts.origin_approval import OriginApproval


@click.command("approve-origin")
@click.argument("account_ids", metavar="ID...", nargs=-1, required=True, type=click.UUID)
@json_option
@stack_option
def approve_origin(account_ids: tuple[object, ...], data_dir: Path | None, as_json: bool) -> None:
    """Let the secrets of accounts go where their integrations lead now, and print these origins.

    Works on the database that DATABASE_URL names, else on the stack that 'ferryman up' runs here.
    """
    approval = _approval(data_dir)
    approved = []
    for id in map(str, account_ids):
        origins = list(approval.approve_account(id))
        approved.append({"id": id, "origins": origins})
        if not as_json:
            click.echo(f"{id}: {', '.join(origins)}")
    if as_json:
        print_json(approved)
        return
    print_next_step("account", "show", str(account_ids[0]))


@click.command("check-hosts")
@json_option
@stack_option
def check_hosts(data_dir: Path | None, as_json: bool) -> None:
    """List the integrations that hold secrets, let accounts choose the host, and have no allowed_hosts.

    Their calls are refused (host_not_allowed) until these are listed. Ends with 1 where there are some. Works on the
    database that DATABASE_URL names, else on the stack that 'ferryman up' runs here.
    """
    found = [
        {"id": one.id, "name": one.name, "environment": one.environment_id}
        for one in _approval(data_dir).find_without_hosts()
    ]
    if as_json:
        print_json(found)
    else:
        print_table(found, ("id", "name", "environment"), none="All integrations say where their secrets may go.")
    if found:
        if not as_json:
            print_next_step("integration", "update", found[0]["id"], "--config", '{"allowed_hosts": ["..."]}')
        raise SystemExit(1)


@click.command("approve-hosts")
@click.argument("integration_id", metavar="ID", type=click.UUID)
@json_option
@stack_option
def approve_hosts(integration_id: object, data_dir: Path | None, as_json: bool) -> None:
    """Let an integration's own secrets go to the hosts that its config names now, and print these.

    Works on the database that DATABASE_URL names, else on the stack that 'ferryman up' runs here.
    """
    hosts = list(_approval(data_dir).approve_integration(str(integration_id)))
    if as_json:
        print_json({"id": str(integration_id), "hosts": hosts})
        return
    click.echo(", ".join(hosts) or "It holds no secrets of its own.")
    print_next_step("integration", "show", str(integration_id))


def _approval(data_dir: Path | None) -> "OriginApproval":
    # Postgres and the configs take a second to load, which no other command of these groups needs.
    pass  # noqa: PLC0415
    pass  # noqa: PLC0415

    return build_origin_approval(read_operator_settings(data_dir))
