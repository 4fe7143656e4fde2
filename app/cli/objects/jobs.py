"""``ferryman job``: what to pull from an API, over the HTTP API."""

from typing import Final

from app.cli.calling import JsonArgument, JsonValue
from app.cli.objects.builder import build_group
from app.cli.objects.kinds import Field, Kind

JOB: Final = Kind(
    word="sync job",
    group="job",
    path="/sync-job",
    columns=("id", "label", "integration_name", "created_at"),
    facts=(
        *("integration_name", "resources", "args_schema", "args_validation", "mutex_key", "state_key"),
        *("wait_for_destinations", "created_at"),
    ),
    title=lambda job: f"sync job {job['id']}  {job['label']}",
    arguments=("integration_name",),
    fields=(
        Field(name="resources", option="--resources", kind=JsonValue(), help="What to pull: a JSON list, or @file."),
        Field(name="label", option="--label", help="What people call it."),
        Field(name="args_schema", option="--args-schema", kind=JsonArgument(), help="Its arguments: JSON, or @file."),
        Field(name="args_validation", option="--args-validation", help="JSONata that refuses arguments."),
        Field(name="mutex_key", option="--mutex-key", help="Runs with one key never run together."),
        Field(name="state_key", option="--state-key", help="The namespace of its runs' states."),
        Field(
            name="wait_for_destinations",
            option="--wait-for-destinations/--no-wait-for-destinations",
            help="Whether its runs complete only once their records are at every destination.",
        ),
    ),
    filters=(
        Field(name="integration_name", option="--integration", help="Only jobs of this integration."),
        Field(name="label", option="--label", help="Only jobs that are called so."),
    ),
    after_create=lambda job: ("account", "list", "--integration", job["integration_name"]),
)


job: Final = build_group(
    JOB,
    "Create, list, show, change and remove sync jobs: what to pull from an API.",
    create="Create a sync job for an integration.",
    list="List sync jobs, the newest first.",
    show="Show a sync job.",
    update="Change a sync job; runs that have begun go on as they are.",
    delete="Remove a sync job; its runs and records stay.",
)
