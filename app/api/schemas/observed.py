"""Records and daemons."""

from marshmallow import Schema, fields, validate

from app.api.schemas.fields import Id, Input, JsonObjectField, Listing, Time, narrowed, order


class Record(Schema):
    """One persisted record."""

    id = fields.String()
    resource = fields.String()
    integrated_account_id = Id()
    sync_job_run_id = Id(metadata={"description": "The run that brought its last change."})
    data = fields.Raw()
    created_at = Time()
    updated_at = Time(metadata={"description": "When its content last changed."})
    synced_at = Time(metadata={"description": "When a run last wrote it."})
    sequence = fields.Integer(metadata={"description": "The number of its last change in the account's log."})
    deleted_at = Time(allow_none=True, metadata={"description": "Set on a tombstone: it has vanished upstream."})


class RecordPage(Schema):
    """A page of records."""

    result = fields.List(fields.Nested(Record), required=True)
    next_cursor = fields.String(allow_none=True, required=True)
    limit = fields.Integer(required=True)
    gap_until = fields.Integer(
        metadata={"description": "Entries up to this number, which you have not read, may be gone: list all anew."}
    )


class Restoration(Input):
    """Which deleted records are to come back."""

    integrated_account_id = Id(required=True)
    sync_job_run_id = Id(required=True, metadata={"description": "The run that deleted them."})
    resource = fields.String()


class Restored(Schema):
    """How many came back."""

    restored = fields.Integer(required=True)


RecordQuery = narrowed(
    Listing,
    "RecordQuery",
    {
        "integrated_account_id": Id(required=True),
        "resource": fields.String(),
        "sync_job_run_id": Id(),
        "with_deleted": fields.Boolean(load_default=False, metadata={"description": "List tombstones as well."}),
        "after_seq": fields.Integer(
            validate=validate.Range(0, 2**63 - 1),
            metadata={"description": "Read the account's log on after this number, in its order, tombstones included."},
        ),
    },
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
    consumed_at = Time(
        allow_none=True,
        metadata={"description": "When it last took a message: a daemon that answers but consumes nothing is no use."},
    )


class DaemonQuery(Listing):
    """The query of the list of daemons."""

    group_key = fields.String()
    sort = order("id", "created_at", "updated_at", "label", "group_key", default="id")
