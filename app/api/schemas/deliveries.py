"""Deliveries of webhooks."""

from typing import Any

from marshmallow import Schema, fields, validate

from app.api.schemas.fields import Id, SortedListing, Time, narrowed
from app.engine.status import DeliveryStatus

STATUSES = [str(status) for status in DeliveryStatus]


class Delivery(Schema):
    """One event on its way to a webhook, or at its end."""

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


_filters: dict[str, fields.Field[Any]] = {
    "status": fields.String(validate=validate.OneOf(STATUSES)),
    "event": fields.String(),
    "sync_job_run_id": Id(),
}
DeliveryQuery = narrowed(SortedListing, "DeliveryQuery", _filters, times=("created_at", "delivered_at"))
