"""``ferryman schema``: the typed columns of records, over the HTTP API."""

from typing import Final

import click

from app.cli.calling import JsonValue
from app.cli.objects.builder import build_group
from app.cli.objects.kinds import Field, Kind
from app.engine.schemas.columns import SchemaPolicy

SCHEMA: Final = Kind(
    word="schema",
    group="schema",
    path="/schema",
    columns=("id", "integration_name", "resource", "policy", "view"),
    facts=("policy", "view", "view_error", "reader", "reader_error", "left_out", "columns"),
    title=lambda schema: f"schema {schema['id']}  {schema['integration_name']} {schema['resource']}",
    fields=(
        Field(
            name="policy",
            option="--policy",
            kind=click.Choice([policy.value for policy in SchemaPolicy]),
            help="What becomes of values that fit no column.",
        ),
        Field(
            name="columns",
            option="--columns",
            kind=JsonValue(),
            help="The list of columns to name, type or ignore: JSON, or @file.",
        ),
    ),
    filters=(
        Field(name="resource", option="--resource", help="Only of this resource."),
        Field(name="integration_name", option="--integration", help="Only of this integration."),
    ),
)


schema: Final = build_group(
    SCHEMA,
    "List, show and change the typed columns of records.",
    list="List the schemas of resources, the newest first.",
    show="Show the columns of a resource.",
    update="Change what becomes of new keys, or name, type and ignore columns.",
)
