"""``ferryman run bulk``: act on every run that filters find, once their number is confirmed."""

import time
from typing import Final

import click

from app.cli.calling import Answer, drop_none, json_option, pass_client
from app.cli.options import RUN_STATUS
from app.client import ApiClient
from app.engine.json_types import JsonObject
from app.engine.objects.bulk_actions import BulkKind, BulkStatus

_PATH: Final = "/bulk-action"
_POLL_SECONDS: Final = 0.5
_DONE: Final = {BulkKind.STOP: "stopped", BulkKind.RESUME: "resumed", BulkKind.RETRY_ERRORS: "resumed for what failed"}


@click.command()
@click.argument("kind", metavar="KIND", type=click.Choice([kind.value for kind in BulkKind]))
@click.option("--status", type=RUN_STATUS, multiple=True, help="Only runs in this status; may be repeated.")
@click.option("--with-errors", is_flag=True, help="Only runs that ended with errors which no resume has mended.")
@click.option("--job", help="Only runs of this sync job.")
@click.option("--account", help="Only runs for this integrated account.")
@click.option("--tenant", help="Only runs for accounts of this tenant.")
@click.option("--arg", "args", multiple=True, help="Only runs with this arg: path=value; may be repeated.")
@click.option("--error", help="Only runs that ended by this error code, or list such an error.")
@click.option("--since", help="Only runs that were created from this time on.")
@click.option("--until", help="Only runs that were created before this time.")
@click.option("--yes", is_flag=True, help="Do not ask: act on however many match.")
@json_option
@pass_client
def bulk(
    client: ApiClient,
    *,
    kind: str,
    yes: bool,
    as_json: bool,
    status: tuple[str, ...],
    with_errors: bool,
    args: tuple[str, ...],
    **filters: str | None,
) -> None:
    """Stop or resume every run that matches, or retry its errors; counts first, and asks.

    With --json and without --yes it counts only. Exit code 1 where a run could not be acted on.
    """
    lists = {"status": [*status], "args": [*args], "has_errors": "true" if with_errors else ""}
    meant = {**drop_none(filters), **{name: value for name, value in lists.items() if value}}
    action = _poll(client, client.post(_PATH, {"kind": kind, "filters": meant}), while_in=(BulkStatus.COUNTING,))
    if action["counted"] and not yes and not as_json:
        click.echo(f"{action['counted']:,} runs match, and there is something to do for them.")
        if not click.confirm("Go on?"):
            client.call("POST", f"{_PATH}/{action['id']}/cancel")
            raise click.Abort
    if action["counted"] and (yes or not as_json):
        client.call("POST", f"{_PATH}/{action['id']}/confirm")
        action = _poll(client, action, while_in=(BulkStatus.COUNTED, BulkStatus.ACTING))
    Answer(action, _describe(action), exit_code=1 if action["failed"] else 0).print(as_json=as_json)


def _poll(client: ApiClient, action: JsonObject, *, while_in: tuple[BulkStatus, ...]) -> JsonObject:
    while action["status"] in while_in:
        if action["status"] != BulkStatus.COUNTED:
            time.sleep(_POLL_SECONDS)
        action = client.get(f"{_PATH}/{action['id']}")
    return action


def _describe(action: JsonObject) -> str:
    if not action["counted"]:
        return "No run matches that there is something to do for."
    done = f"{action['done']:,} of {action['counted']:,} runs were {_DONE[action['kind']]}"
    skipped = f"; there was nothing to do for {action['skipped']:,} by then" if action["skipped"] else ""
    failed = f"; {action['failed']:,} could not be" if action["failed"] else ""
    return f"{done}{skipped}{failed}."
