"""Commands by which an operator approves where secrets are sent; they work on the database."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.calling import Answer, json_option, print_answer, print_json, print_table
from app.cli.next_steps import print_next_step
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
            # Each when it is done: what is approved stays so when the next one fails.
            click.echo(f"{id}: {', '.join(origins)}")
    if as_json:
        print_json(approved)
    else:
        print_next_step("account", "show", str(account_ids[0]))


@click.command("check-hosts")
@print_answer
@stack_option
def check_hosts(data_dir: Path | None) -> Answer:
    """List the integrations that hold secrets, let accounts choose the host, and have no allowed_hosts.

    Their calls are refused (host_not_allowed) until these are listed. Ends with 1 where there are some. Works on the
    database that DATABASE_URL names, else on the stack that 'ferryman up' runs here.
    """
    found = [
        {"id": one.id, "name": one.name, "environment": one.environment_id}
        for one in _approval(data_dir).find_without_hosts()
    ]
    none = "All integrations say where their secrets may go."
    config = '{"allowed_hosts": ["..."]}'
    next_step = ("integration", "update", found[0]["id"], "--config", config) if found else ()
    show = partial(print_table, found, ("id", "name", "environment"), none=none)
    return Answer(found, show, next_step, exit_code=1 if found else 0)


@click.command("approve-hosts")
@click.argument("integration_id", metavar="ID", type=click.UUID)
@print_answer
@stack_option
def approve_hosts(integration_id: object, data_dir: Path | None) -> Answer:
    """Let an integration's own secrets go to the hosts that its config names now, and print these.

    Works on the database that DATABASE_URL names, else on the stack that 'ferryman up' runs here.
    """
    id = str(integration_id)
    hosts = list(_approval(data_dir).approve_integration(id))
    text = ", ".join(hosts) or "It holds no secrets of its own."
    return Answer({"id": id, "hosts": hosts}, text, ("integration", "show", id))


def _approval(data_dir: Path | None) -> "OriginApproval":
    # Postgres and the configs take a second to load, which no other command of these groups needs.
    from app.bootstrap.operator_secrets import build_origin_approval  # noqa: PLC0415
    from app.cli.operating.operators import read_operator_settings  # noqa: PLC0415

    return build_origin_approval(read_operator_settings(data_dir))
