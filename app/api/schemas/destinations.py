"""Datastores, and the destinations that write into them."""

from typing import ClassVar, Final

from marshmallow import Schema, fields, validate

from app.api.schemas.fields import (
    TEXT,
    UNCHANGEABLE,
    Flag,
    Id,
    Input,
    JsonObjectField,
    Listing,
    Reasons,
    Time,
    Whole,
    make_list_query,
)
from app.api.schemas.json_kinds import MAY_LACK, NAME_PATTERN
from app.api.schemas.save_warnings import Warned
from app.engine.destinations.config_keys import UNSUPPORTED
from app.engine.objects.destinations import DatastoreType, Deletes, Layout, WriteMode
from app.engine.status import CursorStatus

TYPES: Final = [str(kind) for kind in DatastoreType]
_CONFIG: Final = {
    "description": "Its keys are those of its type; what is secret in it is stored encrypted and never shown."
}
_RESOURCES: Final = {
    "oneOf": [
        {"type": "string", "enum": ["*"]},
        {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
    ],
    "description": "The resources whose records land here; '*' is all.",
}


class DatastorePatch(Input):
    """A change of a datastore."""

    NOT_SERVED: ClassVar[Reasons] = {
        "secret": "secrets are part of the config",
        "integration_methods": "the config is checked against its type's keys, and by POST /datastore/{id}/test",
    }

    type = fields.String(metadata={"enum": TYPES, **UNCHANGEABLE})
    label = fields.String(allow_none=True, validate=TEXT)
    config = JsonObjectField(metadata={**_CONFIG, "description": f"Merged key by key; {_CONFIG['description']}"})


class NewDatastore(DatastorePatch):
    """A datastore to create."""

    id = Id(metadata={"description": "Yours, or a new one."})
    type = fields.String(
        required=True,
        metadata={"enum": TYPES, "description": f"Not {' or '.join(UNSUPPORTED)}, which are not supported."},
    )
    config = JsonObjectField(metadata=_CONFIG)


class Datastore(Warned):
    """Where destinations write."""

    id = Id()
    type = fields.String(metadata={"enum": TYPES})
    label = fields.String(allow_none=True)
    config = JsonObjectField(metadata={"description": "Without its secrets."})
    secrets = fields.List(fields.String(), metadata={"description": "The secrets that its config holds, by name."})
    unreadable = fields.String(allow_none=True, metadata={"description": "Why its config does not decrypt."})
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


DatastoreQuery = make_list_query(
    "DatastoreQuery",
    {"type": fields.String(validate=validate.OneOf(TYPES)), "environment_id": Id()},
    sorts=("updated_at",),
)


class DatastoreTest(Schema):
    """What a test of a datastore has found out."""

    success = fields.Boolean(required=True)
    data = JsonObjectField(required=True, metadata={"description": "Facts, such as the version of a server."})


class DestinationPatch(Input):
    """A change of a destination."""

    datastore_id = Id(metadata=UNCHANGEABLE)
    integrated_account_id = Id(allow_none=True, metadata=UNCHANGEABLE)
    sync_job_id = Id(allow_none=True, metadata=UNCHANGEABLE)
    mode = fields.String(validate=validate.OneOf(list(WriteMode)), metadata=UNCHANGEABLE)
    layout = fields.String(validate=validate.OneOf(list(Layout)), metadata=UNCHANGEABLE)
    options = JsonObjectField(metadata=UNCHANGEABLE)
    label = fields.String(allow_none=True, validate=TEXT)
    resources = fields.Raw(metadata={**_RESOURCES, "description": "What is newly wanted begins now: backfill it."})
    deletes = fields.String(
        validate=validate.OneOf(list(Deletes)),
        metadata={"description": "soft: deleted_at is set; hard: the row is removed."},
    )
    daemon_group_key = fields.String(
        allow_none=True, metadata={"pattern": NAME_PATTERN, "description": "The only daemons that write there."}
    )


class NewDestination(DestinationPatch):
    """A destination to create."""

    datastore_id = Id(required=True)
    integrated_account_id = Id(allow_none=True, metadata={"description": "The only account that it reads."})
    sync_job_id = Id(
        allow_none=True,
        metadata={"description": "Only accounts to which runs of this job have brought records."},
    )
    mode = fields.String(
        validate=validate.OneOf(list(WriteMode)),
        metadata={"description": "merge (default): one row for each record; append: one for each state of it."},
    )
    layout = fields.String(
        validate=validate.OneOf(list(Layout)),
        metadata={"description": "shared (default): one table for all accounts; tenant: each tenant's apart."},
    )
    options = JsonObjectField(metadata={"description": "What only the datastore's type knows."})
    resources = fields.Raw(metadata=_RESOURCES)


class Progress(Schema):
    """How far a destination is."""

    accounts = fields.Integer(metadata={"description": "Those that have a cursor."})
    failing = fields.Integer(metadata={"description": "Those whose last attempt failed."})
    rebuilding = fields.Integer(metadata={"description": "Those whose rebuild has not ended."})
    lag_records = fields.Integer(metadata={"description": "Numbers of the logs that are not written."})
    lag_seconds = fields.Float(metadata={"description": "For how long the oldest of them has waited."})
    last_error = fields.String(allow_none=True)
    read = fields.Integer(metadata={"description": "Entries since the last backfill: the sum of the next four."})
    written = fields.Integer()
    unchanged = fields.Integer(metadata={"description": "The target held them already."})
    quarantined = fields.Integer(
        metadata={"description": "They do not fit a frozen schema, or the target can not hold them."}
    )
    filtered = fields.Integer(metadata={"description": "Of resources that are not wanted."})


class Destination(Warned):
    """Which records are written into a datastore, how, and how far."""

    id = Id()
    datastore_id = Id()
    label = fields.String(allow_none=True)
    integrated_account_id = Id(allow_none=True)
    sync_job_id = Id(allow_none=True)
    resources = fields.Raw(metadata=_RESOURCES)
    mode = fields.String(metadata={"enum": list(WriteMode)})
    deletes = fields.String(metadata={"enum": list(Deletes)})
    layout = fields.String(metadata={"enum": list(Layout)})
    options = JsonObjectField()
    daemon_group_key = fields.String(allow_none=True)
    status = fields.String(
        metadata={
            "enum": ["paused", "failing", "rebuilding", "behind", "current"],
            "description": "behind: not all is written.",
        }
    )
    progress = fields.Nested(Progress)
    epoch = fields.Integer(metadata={"description": "How often it was filled anew."})
    paused_at = Time(allow_none=True)
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


DestinationQuery = make_list_query(
    "DestinationQuery",
    {"datastore_id": Id(), "integrated_account_id": Id(), "sync_job_id": Id(), "environment_id": Id()},
    sorts=("updated_at",),
)


class Backfill(Input):
    """From where a destination is filled anew."""

    from_sequence = Whole(
        validate=validate.Range(min=0, max=2**63 - 1),
        metadata={"description": "A number of each account's log; 0 (default) is everything that there is."},
    )
    quarantined = Flag(
        metadata={
            "description": "Instead: from the first record on that was left out, of those accounts that have some."
        },
    )


class Cursor(Schema):
    """How far one account is at a destination."""

    integrated_account_id = Id()
    status = fields.String(metadata={"enum": list(CursorStatus)})
    cursor = fields.Integer(metadata={"description": "Everything up to this number of the account's log is written."})
    last_sequence = fields.Integer(metadata={"description": "The last number of the log."})
    lag_records = fields.Integer()
    lag_seconds = fields.Float()
    attempts = fields.Integer(metadata={"description": "Those that failed since the last success."})
    failing_since = Time(allow_none=True)
    error_code = fields.String(allow_none=True)
    last_error = fields.String(allow_none=True)
    due_at = Time(metadata={"description": "When the next attempt may come."})
    written_at = Time(allow_none=True)
    read = fields.Integer()
    written = fields.Integer()
    unchanged = fields.Integer()
    quarantined = fields.Integer()
    filtered = fields.Integer()


CursorQuery = Listing


class QuarantinedRecord(Schema):
    """A record that a destination has left out."""

    integrated_account_id = Id()
    resource = fields.String()
    remote_id = fields.String()
    sequence = fields.Integer(metadata={"description": "Of the change that did not fit."})
    reason = fields.String()
    created_at = Time()


QuarantinedQuery = Listing


class VerifiedResource(Schema):
    """One resource of one account, compared with the target."""

    integrated_account_id = Id()
    resource = fields.String()
    expected = fields.Integer(metadata={"description": "Records up to the cursor that the target should hold."})
    equal = fields.Integer(metadata={"description": "Those that it holds at the same sequence."})
    missing = fields.Integer()
    outdated = fields.Integer(metadata={"description": "It holds an older state."})
    surplus = fields.Integer(metadata={"description": "It holds them, and Postgres does not."})
    quarantined = fields.Integer()
    examples = fields.List(fields.String(), metadata={"description": "Some ids of what differs."})


class Verified(Schema):
    """The keys and sequences of a destination, compared with what was written there."""

    is_equal = fields.Boolean(required=True)
    compared = fields.Integer(required=True, metadata={"description": "Records that were compared."})
    is_complete = fields.Boolean(
        required=True, metadata={MAY_LACK: False, "description": "false: there was no time for all accounts."}
    )
    differences = fields.List(fields.Nested(VerifiedResource), required=True)
