"""``ferryman notification``, ``notification-rule`` and ``incident``: who is notified of what, over the HTTP API."""

from typing import Final
from urllib.parse import quote

import click

from app.cli.calling import Answer, JsonArgument, add_named_argument, call_api, print_facts
from app.cli.objects.builder import build_group
from app.cli.objects.kinds import Field, Kind
from app.client import ApiClient
from app.engine.notifications.events import EVENTS
from app.engine.objects.notifications import NotificationType

_TYPES: Final = click.Choice([str(kind) for kind in NotificationType])
_EVENTS: Final = click.Choice(list(EVENTS))

NOTIFICATION: Final = Kind(
    word="notification destination",
    group="notification",
    path="/notification-destination",
    columns=("id", "type", "label", "is_active", "failing_since", "created_at"),
    facts=(
        *("secret", "type", "label", "config", "secrets", "event_types", "is_active", "failing_since", "last_error"),
        *("unreadable", "created_at", "updated_at"),
    ),
    title=lambda to: (
        f"notification destination {to['id']}  {to['type']}  {'active' if to['is_active'] else 'inactive'}"
    ),
    arguments=("type",),
    fields=(
        Field(
            name="config",
            option="--config",
            kind=JsonArgument(),
            help="Its config: JSON, or @file; a change is merged into the present one.",
        ),
        Field(name="label", option="--label", help="What people call it."),
        Field(
            name="event_types",
            option="--event",
            is_multiple=True,
            help="An event that it gets; again for more.  [default: all that its rules watch]",
        ),
        Field(name="is_active", option="--active/--inactive", help="Whether anything is sent to it."),
    ),
    filters=(Field(name="type", option="--type", kind=_TYPES, help="Only those of this type."),),
    after_create=lambda to: ("notification", "test", to["id"]),
)

notification: Final = build_group(
    NOTIFICATION,
    "Create, list, show, change, test and remove notification destinations.",
    create="Create a notification destination: slack, email or webhook; the secret that signs is shown this once.",
    list="List notification destinations, the newest first.",
    show="Show a notification destination, without its secrets.",
    update="Change a notification destination.",
    delete="Remove a notification destination with its rules.",
)

RULE: Final = Kind(
    word="notification rule",
    group="notification-rule",
    path="/notification-rule",
    columns=("id", "notification_destination_id", "event", "config", "label", "is_active"),
    facts=(
        *("notification_destination_id", "event", "label", "sync_job_id", "integrated_account_id", "config"),
        *("is_active", "created_at", "updated_at"),
    ),
    title=lambda rule: f"notification rule {rule['id']}  {rule['event']}",
    arguments=("notification_destination_id", "event"),
    fields=(
        Field(name="sync_job_id", option="--job", is_changeable=False, help="Only of this job."),
        Field(name="integrated_account_id", option="--account", is_changeable=False, help="Only of this account."),
        Field(name="config", option="--config", kind=JsonArgument(), help="The bounds of its event: JSON, or @file."),
        Field(name="label", option="--label", help="What people call it."),
        Field(name="is_active", option="--active/--inactive", help="Whether it watches."),
    ),
    filters=(
        Field(name="notification_destination_id", option="--destination", help="Only those of this destination."),
        Field(name="event", option="--event", kind=_EVENTS, help="Only those of this event."),
    ),
    after_create=lambda rule: ("notification-rule", "show", rule["id"]),
)

notification_rule: Final = build_group(
    RULE,
    "Create, list, show, change and remove notification rules.",
    create="Create a rule; from its first on, a destination is notified only of what its rules watch.",
    list="List notification rules, the newest first.",
    show="Show a notification rule.",
    update="Change a notification rule.",
    delete="Remove a notification rule; what it has found is no longer sent.",
)


INCIDENT: Final = Kind(
    word="incident",
    group="incident",
    path="/incident",
    columns=("id", "event", "cause", "is_open", "opened_at", "resolved_at", "summary"),
    facts=(
        *("event", "cause", "is_open", "summary", "advice", "count", "integrated_account_id", "facts"),
        *("notification_destination_id", "notification_rule_id"),
        *("opened_at", "created_at", "notified_at", "reminded_at", "last_seen_at", "resolved_at"),
    ),
    title=lambda incident: f"incident {incident['id']}  {'open' if incident['is_open'] else 'over'}",
    filters=(
        Field(name="is_open", option="--open/--over", help="Only what is still so, or only what is over."),
        Field(name="event", option="--event", kind=_EVENTS, help="Only those of this event."),
        Field(name="cause", option="--cause", help="Only those of this cause, such as http_500."),
        Field(name="notification_rule_id", option="--rule", help="Only those of this rule."),
        Field(name="notification_destination_id", option="--destination", help="Only those of this destination."),
        Field(name="integrated_account_id", option="--account", help="Only those about this account."),
    ),
)

incident: Final = build_group(
    INCIDENT,
    "List and show what is wrong, and what was, as people are notified of it.",
    list="List incidents, the newest first.",
    show="Show an incident: what it is, since when, who was notified when, and what to do.",
)


@notification.command()
@add_named_argument("notification_destination_id", metavar="ID")
@call_api
def test(client: ApiClient, notification_destination_id: str) -> Answer:
    """Send a test message now, and print what was answered; exit code 1 unless it was taken."""
    found = client.post(f"{NOTIFICATION.path}/{quote(notification_destination_id, safe='')}/test")
    next_step = ("notification-rule", "list", "--destination", notification_destination_id)
    return Answer(found, lambda: print_facts("It was taken.", list(found["data"].items())), next_step)
