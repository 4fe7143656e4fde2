"""Records, erasures, daemons and entries of the audit log."""

from typing import Final

from marshmallow import Schema, fields, validate

from app.actors import ActorKind
from app.api.schemas.fields import (
    Id,
    Input,
    JsonObjectField,
    Listing,
    Query,
    QueryNumber,
    Time,
    make_list_query,
    make_sort_field,
    make_time_filters,
)
from app.api.schemas.json_kinds import MAY_LACK
from app.api.schemas.save_warnings import Warned
from app.engine.json_types import JsonObject
from app.engine.objects.accounts import ErasureStatus
from app.formats.formats import MEDIA_TYPES, FileFormat


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
        metadata={
            MAY_LACK: True,
            "description": "Entries up to this number, which you have not read, may be gone: list all anew.",
        }
    )


class Restoration(Input):
    """Which deleted records to restore."""

    integrated_account_id = Id(required=True)
    sync_job_run_id = Id(required=True, metadata={"description": "The run that deleted them."})
    resource = fields.String()


class Restored(Warned):
    """How many records were restored."""

    restored = fields.Integer(required=True)


RecordQuery = make_list_query(
    "RecordQuery",
    {
        "integrated_account_id": Id(required=True),
        "resource": fields.String(),
        "id": fields.String(metadata={"description": "The upstream's id; with resource, at most one record has it."}),
        "sync_job_run_id": Id(),
        "with_deleted": fields.Boolean(load_default=False, metadata={"description": "List tombstones as well."}),
        "after_seq": QueryNumber(
            validate=validate.Range(0, 2**63 - 1),
            metadata={"description": "Read the account's log on after this number, in its order, tombstones included."},
        ),
    },
    listing=Listing,
    times=("synced_at", "updated_at", "created_at"),
)


RecordExport = Query.from_dict(
    {
        "resource": fields.String(required=True, validate=validate.Length(min=1)),
        "integrated_account_id": Id(metadata={"description": "Of this account alone; else of all that have some."}),
        "integration_name": fields.String(
            metadata={"description": "Needed where accounts of several integrations have such a resource."}
        ),
        "id": fields.String(metadata={"description": "The upstream's id."}),
        "sync_job_run_id": Id(),
        "with_deleted": fields.Boolean(load_default=False, metadata={"description": "Export tombstones as well."}),
        "after_seq": QueryNumber(
            validate=validate.Range(0, 2**63 - 1),
            metadata={
                "description": "Of one account, what its log has after this number, in its order, tombstones included."
            },
        ),
        "format": fields.String(
            validate=validate.OneOf([str(one) for one in FileFormat]),
            metadata={"description": "Instead of what Accept names; without either it is jsonl."},
        ),
        "with_data": fields.Boolean(
            load_default=False, metadata={"description": "Add the column data: each record as JSON."}
        ),
        "keep_formulas": fields.Boolean(
            load_default=False,
            metadata={"description": "Of CSV, leave texts that a spreadsheet executes as they are."},
        ),
        **make_time_filters("synced_at", "updated_at", "created_at"),
    },
    name="RecordExport",
)

_PIECES: Final[JsonObject] = {"schema": {"type": "string", "format": "binary"}}
EXPORTED: Final[JsonObject] = {
    "responses": {
        "200": {
            "description": "The file, in pieces: it is complete only if the last one, which is empty, has arrived.",
            "content": dict.fromkeys(MEDIA_TYPES.values(), _PIECES),
            "headers": {
                "Ferryman-Through-Seq": {
                    "description": "Of one account, the after_seq of the next export.",
                    "schema": {"type": "integer"},
                },
                "Ferryman-Gap-Until": {
                    "description": "Entries up to this number, which you have not read, may be gone: export all anew.",
                    "schema": {"type": "integer"},
                },
            },
        },
        "404": "NOT_FOUND",
        "501": "NOT_IMPLEMENTED",
    },
}


class RecordErasure(Query):
    """Which records to erase."""

    integrated_account_id = Id(required=True)
    resource = fields.String(required=True, validate=validate.Length(min=1))


class Erasure(Schema):
    """What is being erased, and how much of it is done."""

    id = Id()
    environment_id = Id()
    integrated_account_id = Id()
    resource = fields.String(allow_none=True, metadata={"description": "null is the account with all that it has."})
    status = fields.String(metadata={"enum": [str(status) for status in ErasureStatus]})
    due_at = Time(metadata={"description": "When it begins: until then the deletion of an account can be undone."})
    erased = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "Rows so far, by their table."}
    )
    last_error = fields.String(allow_none=True, metadata={"description": "Why it does not progress."})
    created_at = Time()
    started_at = Time(allow_none=True)
    finished_at = Time(allow_none=True)


ErasureQuery = make_list_query(
    "ErasureQuery",
    {"integrated_account_id": Id(), "resource": fields.String()},
    times=("created_at", "due_at"),
)


class Daemon(Schema):
    """A daemon."""

    id = fields.String()
    label = fields.String()
    group_key = fields.String()
    status = fields.String()
    metadata = JsonObjectField()
    environment_id = Id(metadata={"description": "The caller's own: daemons work for all environments."})
    created_at = Time()
    updated_at = Time()
    last_active_at = Time(allow_none=True)
    consumed_at = Time(
        allow_none=True,
        metadata={"description": "When it last took a message from its queues."},
    )


class DaemonQuery(Listing):
    """The query of the list of daemons."""

    group_key = fields.String()
    sort = make_sort_field("id", "created_at", "updated_at", "label", "group_key", default="id")


_KINDS: Final = [str(kind) for kind in ActorKind]
_BEFORE: Final[JsonObject] = {"description": "Of what has changed, what was there; null when it was created."}
_AFTER: Final[JsonObject] = {"description": "What is there instead; null when it was deleted."}


class AuditEntry(Schema):
    """A change, and who made it. Of a secret it shows only that it has changed."""

    id = Id()
    environment_id = Id()
    created_at = Time()
    action = fields.String(metadata={"description": "Such as `webhook.updated` or `sync_job_run.stopped`."})
    object_type = fields.String()
    object_id = fields.String()
    integrated_account_id = Id(allow_none=True, metadata={"description": "The account that the object belongs to."})
    actor_kind = fields.String(metadata={"enum": _KINDS})
    actor_id = Id(allow_none=True, metadata={"description": "The API token, or the account whose token it was."})
    actor_name = fields.String(allow_none=True)
    operation = fields.String(allow_none=True, metadata={"description": "The route that was called."})
    request_id = Id(allow_none=True, metadata={"description": "What the answer had as X-Request-Id."})
    remote_address = fields.String(allow_none=True)
    before = JsonObjectField(allow_none=True, metadata=_BEFORE)
    after = JsonObjectField(allow_none=True, metadata=_AFTER)


AuditQuery = make_list_query(
    "AuditQuery",
    {
        "action": fields.String(),
        "object_type": fields.String(),
        "object_id": fields.String(),
        "integrated_account_id": Id(),
        "actor_kind": fields.String(validate=validate.OneOf(_KINDS), metadata={"enum": _KINDS}),
        "actor_id": Id(),
    },
    times=("created_at",),
)
