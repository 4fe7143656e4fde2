"""Records and daemons."""

from marshmallow import Schema, fields

from app.api.schemas.fields import Id, JsonObjectField, Listing, Time, narrowed


class Record(Schema):
    """One persisted record."""

    id = fields.String()
    resource = fields.String()
    integrated_account_id = Id()
    sync_job_run_id = Id(metadata={"description": "The last run that saw it."})
    data = fields.Raw()
    created_at = Time()
    updated_at = Time(metadata={"description": "When its content last changed."})
    synced_at = Time(metadata={"description": "When a run last saw it."})


RecordQuery = narrowed(
    Listing,
    "RecordQuery",
    {"integrated_account_id": Id(required=True), "resource": fields.String(), "sync_job_run_id": Id()},
    times=("synced_at", "updated_at", "created_at"),
)


class Daemon(Schema):
    """A daemon."""

    id = fields.String()
    label = fields.String()
    group_key = fields.String()
    status = fields.String()
    metadata = JsonObjectField()
    created_at = Time()
    updated_at = Time()
    last_active_at = Time(allow_none=True)


class DaemonQuery(Listing):
    """The query of the list of daemons."""

    group_key = fields.String()
