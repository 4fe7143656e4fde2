"""Notification destinations, and the rules of what they are told."""

from typing import Final

from marshmallow import Schema, fields, validate

from app.api.schemas.fields import (
    TEXT,
    UNCHANGEABLE,
    Flag,
    Id,
    Input,
    JsonObjectField,
    ShownOnce,
    Time,
    make_list_query,
)
from app.api.schemas.save_warnings import Warned
from app.engine.notifications.events import EVENTS
from app.engine.objects.notifications import NotificationType

TYPES: Final = [str(kind) for kind in NotificationType]
NAMES: Final = list(EVENTS)
_CONFIG: Final = "Its keys are those of its type; what is secret in it is stored encrypted and never shown."
_BOUNDS: Final = "The bounds of its event, such as count, percent, minutes and resource."


class NotificationDestinationPatch(Input):
    """A change of a notification destination."""

    type = fields.String(metadata={"enum": TYPES, **UNCHANGEABLE})
    label = fields.String(allow_none=True, validate=TEXT)
    config = JsonObjectField(metadata={"description": f"Merged key by key. {_CONFIG}"})
    event_types = fields.List(
        fields.String(validate=TEXT),
        allow_none=True,
        metadata={"description": "The only events that it gets; null: all that its rules watch."},
    )
    is_active = Flag()


class NewNotificationDestination(NotificationDestinationPatch):
    """A notification destination to create."""

    type = fields.String(required=True, metadata={"enum": TYPES})
    config = JsonObjectField(metadata={"description": _CONFIG})


class NotificationDestination(Warned):
    """Where people are told what is wrong."""

    id = Id()
    type = fields.String(metadata={"enum": TYPES})
    label = fields.String(allow_none=True)
    config = JsonObjectField(metadata={"description": "Without its secrets."})
    secrets = fields.List(fields.String(), metadata={"description": "The secrets that its config holds, by name."})
    event_types = fields.List(fields.String(), allow_none=True)
    is_active = fields.Boolean()
    failing_since = Time(allow_none=True, metadata={"description": "Its first failure after its last success."})
    last_error = fields.String(allow_none=True)
    unreadable = fields.String(allow_none=True, metadata={"description": "Why its config does not decrypt."})
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


class CreatedNotificationDestination(NotificationDestination, ShownOnce):
    """A notification destination with the secret that signs, which is shown only here."""

    secret = fields.String(allow_none=True, metadata={"description": "Of the type webhook; null of the others."})


NotificationDestinationQuery = make_list_query(
    "NotificationDestinationQuery",
    {"type": fields.String(validate=validate.OneOf(TYPES)), "is_active": Flag(), "environment_id": Id()},
    sorts=("updated_at",),
)


class NotificationTest(Schema):
    """What was answered to a test message."""

    success = fields.Boolean(required=True)
    data = JsonObjectField(required=True, metadata={"description": "status_code, and the answer's beginning."})


class NotificationRulePatch(Input):
    """A change of a notification rule."""

    notification_destination_id = Id(metadata=UNCHANGEABLE)
    event = fields.String(metadata={"enum": NAMES, **UNCHANGEABLE})
    sync_job_id = Id(allow_none=True, metadata=UNCHANGEABLE)
    integrated_account_id = Id(allow_none=True, metadata=UNCHANGEABLE)
    label = fields.String(allow_none=True, validate=TEXT)
    config = JsonObjectField(metadata={"description": f"{_BOUNDS} It replaces the present one."})
    is_active = Flag()


class NewNotificationRule(NotificationRulePatch):
    """A notification rule to create."""

    notification_destination_id = Id(required=True)
    event = fields.String(required=True, metadata={"enum": NAMES})
    sync_job_id = Id(allow_none=True, metadata={"description": "Only this job; null: all."})
    integrated_account_id = Id(allow_none=True, metadata={"description": "Only this account; null: all."})
    config = JsonObjectField(metadata={"description": _BOUNDS})


class NotificationRule(Warned):
    """What one notification destination is told."""

    id = Id()
    notification_destination_id = Id()
    event = fields.String(metadata={"enum": NAMES})
    label = fields.String(allow_none=True)
    sync_job_id = Id(allow_none=True)
    integrated_account_id = Id(allow_none=True)
    config = JsonObjectField()
    is_active = fields.Boolean()
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


NotificationRuleQuery = make_list_query(
    "NotificationRuleQuery",
    {
        "notification_destination_id": Id(),
        "event": fields.String(validate=validate.OneOf(NAMES)),
        "sync_job_id": Id(),
        "integrated_account_id": Id(),
        "is_active": Flag(),
        "environment_id": Id(),
    },
    sorts=("updated_at",),
)
