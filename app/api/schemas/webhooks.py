"""Webhooks, and the deliveries of events to them."""

from typing import Final
from urllib.parse import urlsplit

from marshmallow import Schema, ValidationError, fields, validate

from app.api.schemas.fields import TEXT, Flag, Id, Input, ShownOnce, Time, Whole, make_list_query
from app.api.schemas.save_warnings import Warned
from app.engine.status import DeliveryStatus

STATUSES: Final = [str(status) for status in DeliveryStatus]
_LONGEST_OVERLAP_SECONDS: Final = 30 * 24 * 3600
_WEB_ADDRESS: Final = {"pattern": r"^https?://\w\S*$"}


def _is_web_address(text: str) -> None:
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is not a number, a bracket too few
        is_usable = False
    if not is_usable or any(character.isspace() for character in text):
        raise ValidationError("expected an http or https address")


class WebhookPatch(Input):
    """A change of a webhook."""

    target_url = fields.String(validate=_is_web_address, metadata=_WEB_ADDRESS)
    is_active = Flag()
    event_types = fields.List(
        fields.String(validate=TEXT), allow_none=True, metadata={"description": "null subscribes to every event."}
    )
    signature_encoding = fields.String(validate=validate.OneOf(["hex", "base64"]))
    changes_only = Flag(
        metadata={"description": "Runs that start from now on send only what has changed since it last got it."}
    )


class NewWebhook(WebhookPatch):
    """A webhook to create."""

    target_url = fields.String(required=True, validate=_is_web_address, metadata=_WEB_ADDRESS)


class Webhook(Warned):
    """A webhook."""

    id = Id()
    target_url = fields.String()
    is_active = fields.Boolean()
    event_types = fields.List(fields.String(), allow_none=True)
    signature_encoding = fields.String()
    changes_only = fields.Boolean()
    failing_since = Time(allow_none=True, metadata={"description": "Its first failure after its last success."})
    disabled_reason = fields.String(
        allow_none=True, metadata={"description": "Why Ferryman made it inactive; is_active: true resumes."}
    )
    previous_secret_expires_at = Time(
        allow_none=True, metadata={"description": "Until when the secret before the present one signs too."}
    )
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


class CreatedWebhook(Webhook, ShownOnce):
    """A webhook with its secret, which is shown only here."""

    secret = fields.String()


class SecretRotation(Input):
    """How to replace the secret of a webhook."""

    overlap_seconds = Whole(
        validate=validate.Range(min=0, max=_LONGEST_OVERLAP_SECONDS),
        metadata={"description": "How long the present secret signs beside the new one; 0 ends it at once."},
    )


class WebhookTest(Input):
    """The webhook that a test event is sent to."""

    id = Id(required=True)


WebhookQuery = make_list_query("WebhookQuery", {"is_active": Flag(), "environment_id": Id()}, sorts=("updated_at",))


class Delivery(Schema):
    """One event that is, was or will be sent to a webhook."""

    id = Id(metadata={"description": "The webhook-id header: the same at every attempt."})
    webhook_id = Id()
    sync_job_run_id = Id(allow_none=True, metadata={"description": "null for an event that belongs to no run."})
    event = fields.String()
    status = fields.String(validate=validate.OneOf(STATUSES))
    records = fields.Integer()
    sequence = fields.Integer(allow_none=True, metadata={"description": "A batch's number in its account's log."})
    attempts = fields.Integer()
    last_status_code = fields.Integer(allow_none=True)
    last_error = fields.String(allow_none=True)
    created_at = Time()
    last_attempt_at = Time(allow_none=True)
    delivered_at = Time(allow_none=True)
    part_of = Id(
        allow_none=True,
        metadata={"description": "The delivery that its receiver refused as too large, and of which this is a part."},
    )


class DeliveryWithBody(Delivery):
    """A delivery with what is sent."""

    body = fields.String(
        allow_none=True,
        metadata={"description": "The exact text that is signed and sent; null once retention has removed it."},
    )


DeliveryQuery = make_list_query(
    "DeliveryQuery",
    {
        "status": fields.String(validate=validate.OneOf(STATUSES)),
        "event": fields.String(),
        "sync_job_run_id": Id(),
    },
    times=("created_at", "delivered_at"),
)
