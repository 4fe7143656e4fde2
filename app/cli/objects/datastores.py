"""``ferryman datastore``: where records land, over the HTTP API."""

from typing import Final
from urllib.parse import quote

import click

from app.cli.calling import Answer, JsonArgument, add_named_argument, call_api, print_facts
from app.cli.objects.builder import build_group
from app.cli.objects.kinds import Field, Kind
from app.client import ApiClient
from app.engine.objects.destinations import DatastoreType

_TYPES: Final = click.Choice([str(kind) for kind in DatastoreType])

DATASTORE: Final = Kind(
    word="datastore",
    group="datastore",
    path="/datastore",
    columns=("id", "type", "label", "created_at"),
    facts=("type", "label", "config", "secrets", "unreadable", "created_at", "updated_at"),
    title=lambda datastore: f"datastore {datastore['id']}  {datastore['type']}  {datastore['label'] or ''}".rstrip(),
    arguments=("type",),
    fields=(
        Field(
            name="config",
            option="--config",
            kind=JsonArgument(),
            help="Its config: JSON, or @file; a change is merged into the present one.",
        ),
        Field(name="label", option="--label", help="What people call it."),
    ),
    filters=(Field(name="type", option="--type", kind=_TYPES, help="Only those of this type."),),
    after_create=lambda datastore: ("datastore", "test", datastore["id"]),
)

datastore: Final = build_group(
    DATASTORE,
    "Create, list, show, change, test and remove datastores.",
    create="Create a datastore; what is secret in its config is never shown again.",
    list="List datastores, the newest first.",
    show="Show a datastore, without its secrets.",
    update="Change a datastore; what failed there is tried again at once.",
    delete="Remove a datastore that no destination writes to.",
)


@datastore.command()
@add_named_argument("datastore_id", metavar="ID")
@call_api
def test(client: ApiClient, datastore_id: str) -> Answer:
    """Connect to a datastore, write something and remove it; exit code 1 when that fails."""
    found = client.post(f"{DATASTORE.path}/{quote(datastore_id, safe='')}/test")
    next_step = ("destination", "create", datastore_id)
    return Answer(found, lambda: print_facts("It works.", list(found["data"].items())), next_step)
