"""Incidents: what is wrong, and what was."""

from typing import Final

from marshmallow import Schema, fields, validate

from app.api.schemas.fields import Flag, Id, JsonObjectField, Time, make_list_query
from app.engine.notifications.events import EVENTS

NAMES: Final = list(EVENTS)
_MESSAGE: Final = "When its message was written; null: there is none yet, or was over before."


class Incident(Schema):
    """Something that is wrong, or was, as one notification destination is notified of it."""

    id = Id()
    environment_id = Id()
    notification_destination_id = Id()
    notification_rule_id = Id(
        allow_none=True, metadata={"description": "The rule that watches for it; null: its destination has no rules."}
    )
    event = fields.String(metadata={"enum": NAMES})
    cause = fields.String(metadata={"description": "Incidents of one event and one cause are sent together."})
    subject = fields.String(metadata={"description": "What it is about: an id, or several joined by colons."})
    summary = fields.String(metadata={"description": "It in one sentence, as it is sent."})
    advice = fields.String(metadata={"description": "What to do."})
    integrated_account_id = Id(allow_none=True, metadata={"description": "Whose account it is about."})
    facts = JsonObjectField(metadata={"description": "What was found, such as the ids of the run and its job."})
    count = fields.Integer(metadata={"description": "How often it has happened, or how many records it is about."})
    is_open = fields.Boolean(metadata={"description": "Whether it is still so."})
    opened_at = Time(metadata={"description": "Since when it is so."})
    created_at = Time(metadata={"description": "When it was found."})
    last_seen_at = Time(metadata={"description": "When it was last looked at, to ten minutes, or has changed."})
    notified_at = Time(allow_none=True, metadata={"description": _MESSAGE})
    reminded_at = Time(allow_none=True, metadata={"description": "When the last reminder was written."})
    resolved_at = Time(allow_none=True, metadata={"description": "When it was over."})


IncidentQuery = make_list_query(
    "IncidentQuery",
    {
        "is_open": Flag(metadata={"description": "Only what is still so, or only what is over."}),
        "event": fields.String(validate=validate.OneOf(NAMES), metadata={"enum": NAMES}),
        "cause": fields.String(),
        "notification_destination_id": Id(),
        "notification_rule_id": Id(),
        "integrated_account_id": Id(),
    },
    times=("created_at", "opened_at", "resolved_at"),
)
