"""``ferryman integration``: descriptions of third-party APIs, and what an operator decides about their hosts."""

from typing import Final

from app.cli.calling import JsonArgument
from app.cli.objects.builder import build_group
from app.cli.objects.kinds import Field, Kind
from app.cli.operating.origins import approve_hosts, check_hosts

INTEGRATION: Final = Kind(
    word="integration",
    group="integration",
    path="/integration",
    columns=("id", "name", "category", "version", "updated_at"),
    facts=("id", "category", "version", "config", "updated_at"),
    title=lambda integration: f"integration {integration['name']}",
    arguments=("name",),
    fields=(
        Field(
            name="config",
            option="--config",
            kind=JsonArgument(),
            is_required=True,
            help="How to call it: JSON, or @file. A change is merged into it, and null takes a key away.",
        ),
        Field(name="category", option="--category", help="What kind of API it is."),
    ),
    filters=(Field(name="name", option="--name", help="Only the one that is called so."),),
    name_field="name",
    after_create=lambda integration: (
        *("account", "create", integration["name"], "TENANT", "--context", '{"api_key": "..."}'),
    ),
)


integration: Final = build_group(
    INTEGRATION,
    "Create, list, show, change and remove integrations, and approve where their secrets go.",
    create="Describe a third-party API; 'ferryman connector list' has ready descriptions.",
    list="List integrations, the newest first.",
    show="Show an integration; secrets in its config are masked.",
    update="Change an integration.",
    delete="Remove an integration that has no accounts.",
)

integration.add_command(check_hosts)
integration.add_command(approve_hosts)
