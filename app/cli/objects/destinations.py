"""``ferryman destination``: which records land in a datastore, how, and how far, over the HTTP API."""

from typing import Final
from urllib.parse import quote

import click

from app.cli.calling import (
    Answer,
    JsonArgument,
    add_named_argument,
    call_api,
    limit_option,
    print_page,
    print_table,
)
from app.cli.objects.builder import answer_object, build_group
from app.cli.objects.kinds import Field, Kind
from app.cli.options import WholeRange
from app.client import ApiClient
from app.engine.json_types import JsonObject
from app.engine.objects.destinations import Deletes, Layout, WriteMode

_CURSOR_COLUMNS: Final = (
    *("integrated_account_id", "status", "cursor", "last_sequence", "lag_records", "lag_seconds", "last_error"),
)
_QUARANTINED_COLUMNS: Final = ("integrated_account_id", "resource", "remote_id", "sequence", "reason", "created_at")
_DIFFERENCE_COLUMNS: Final = (
    *("integrated_account_id", "resource", "expected", "equal", "missing", "outdated", "surplus", "quarantined"),
)


def _list_of(kind: type[WriteMode | Deletes | Layout]) -> click.Choice[str]:
    return click.Choice([str(one) for one in kind])


DESTINATION: Final = Kind(
    word="destination",
    group="destination",
    path="/destination",
    columns=("id", "datastore_id", "label", "status", "mode", "created_at"),
    facts=(
        *("datastore_id", "label", "integrated_account_id", "sync_job_id", "resources", "mode", "deletes", "layout"),
        *("options", "daemon_group_key", "progress", "epoch", "paused_at", "created_at"),
    ),
    title=lambda destination: f"destination {destination['id']}  {destination['status']}",
    arguments=("datastore_id",),
    fields=(
        Field(
            name="resources",
            option="--resource",
            is_multiple=True,
            help="A resource whose records land there; again for more.  [default: all]",
        ),
        Field(name="integrated_account_id", option="--account", is_changeable=False, help="The only account."),
        Field(name="sync_job_id", option="--job", is_changeable=False, help="Only accounts that this job has synced."),
        Field(
            name="mode",
            option="--mode",
            kind=_list_of(WriteMode),
            is_changeable=False,
            help="Whether it holds a row for each record, or one for each state of it.",
        ),
        Field(name="deletes", option="--deletes", kind=_list_of(Deletes), help="What becomes of deleted records."),
        Field(
            name="layout",
            option="--layout",
            kind=_list_of(Layout),
            is_changeable=False,
            help="Whether all tenants share a table.",
        ),
        Field(
            name="options",
            option="--options",
            kind=JsonArgument(),
            is_changeable=False,
            help="What only the datastore's type knows: JSON, or @file.",
        ),
        Field(name="daemon_group_key", option="--group", help="The only daemons that write there."),
        Field(name="label", option="--label", help="What people call it."),
    ),
    filters=(Field(name="datastore_id", option="--datastore", help="Only those that write to this datastore."),),
    after_create=lambda destination: ("destination", "show", destination["id"]),
)

destination: Final = build_group(
    DESTINATION,
    "Create, list, show, change, pause, fill, compare and remove destinations.",
    create="Create a destination in a datastore; what records there are is written at once.",
    list="List destinations, the newest first.",
    show="Show a destination: its status, how far it lags, what went wrong last.",
    update="Change a destination.",
    delete="Remove a destination; what it has written stays where it is.",
)


@destination.command()
@add_named_argument("destination_id", metavar="ID")
@call_api
def pause(client: ApiClient, destination_id: str) -> Answer:
    """Have nothing more written; the log waits in Postgres."""
    return _act(client, destination_id, "pause")


@destination.command()
@add_named_argument("destination_id", metavar="ID")
@call_api
def resume(client: ApiClient, destination_id: str) -> Answer:
    """Go on where it was paused, and try at once what failed."""
    return _act(client, destination_id, "resume")


@destination.command()
@add_named_argument("destination_id", metavar="ID")
@click.option("--from-sequence", type=WholeRange(0), default=0, help="A number of each account's log; 0 is all.")
@click.option("--quarantined", is_flag=True, help="From the first record on that was left out, of each account.")
@call_api
def backfill(client: ApiClient, destination_id: str, from_sequence: int, *, quarantined: bool) -> Answer:
    """Write everything again from a number on, without asking an upstream."""
    return _act(client, destination_id, "backfill", {"from_sequence": from_sequence, "quarantined": quarantined})


@destination.command()
@add_named_argument("destination_id", metavar="ID")
@call_api
def rebuild(client: ApiClient, destination_id: str) -> Answer:
    """Make everything there as it is in Postgres, and remove what is surplus."""
    return _act(client, destination_id, "rebuild")


@destination.command()
@add_named_argument("destination_id", metavar="ID")
@limit_option
@call_api
def quarantined(client: ApiClient, destination_id: str, limit: int) -> Answer:
    """List the records that were left out, with the reasons."""
    page = client.get(f"{DESTINATION.path_of(destination_id)}/quarantined", {"limit": limit})
    none = "No record was left out."
    return Answer(page, lambda: print_page(page, _QUARANTINED_COLUMNS, limit=limit, none=none))


@destination.command()
@add_named_argument("destination_id", metavar="ID")
@limit_option
@call_api
def cursors(client: ApiClient, destination_id: str, limit: int) -> Answer:
    """List how far each account is."""
    page = client.get(f"{DESTINATION.path_of(destination_id)}/cursors", {"limit": limit})
    none = "No account has come to it yet."
    return Answer(page, lambda: print_page(page, _CURSOR_COLUMNS, limit=limit, none=none))


@destination.command()
@add_named_argument("destination_id", metavar="ID")
@call_api
def verify(client: ApiClient, destination_id: str) -> Answer:
    """Compare the keys and sequences at the target with the records that there are; exit code 1 when they differ."""
    found = client.post(f"{DESTINATION.path_of(destination_id)}/verify")
    if found["is_equal"]:
        rest = "" if found["is_complete"] else "; there was no time for all accounts"
        return Answer(found, f"{found['compared']} records are the same there{rest}.")

    def show() -> None:
        print_table(found["differences"], _DIFFERENCE_COLUMNS, none="")

    return Answer(found, show, ("destination", "rebuild", destination_id), exit_code=1)


def _act(client: ApiClient, destination_id: str, action: str, body: JsonObject | None = None) -> Answer:
    path = f"{DESTINATION.path}/{quote(destination_id, safe='')}/{action}"
    changed = client.post(path, body) if body is not None else client.post(path)
    return answer_object(DESTINATION, changed, ("destination", "show", destination_id))
