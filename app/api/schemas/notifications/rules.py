"""What notification destinations are notified of."""

from typing import Final

from marshmallow import fields, validate

from app.api.schemas.fields import (
    TEXT,
    UNCHANGEABLE,
    Flag,
    Id,
    Input,
    JsonObjectField,
    Time,
    make_list_query,
)
from app.api.schemas.save_warnings import Warned
from app.engine.notifications.events import EVENTS

NAMES: Final = list(EVENTS)
_BOUNDS: Final = "The bounds of its event, such as count, percent, minutes and resource."


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
    """What one notification destination is notified of."""

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
