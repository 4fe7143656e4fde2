"""Where people are notified of what is wrong."""

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
from app.engine.objects.notifications import NotificationType

TYPES: Final = [str(kind) for kind in NotificationType]
_CONFIG: Final = "Its keys are those of its type; what is secret in it is stored encrypted and never shown."


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
    """Where people are notified of what is wrong."""

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
