"""Cron triggers of sync jobs: the fields of docs/wire.md A4, and Ferryman's own."""

from typing import ClassVar, Final

from marshmallow import Schema, fields, pre_load, validate

from app.api.schemas.fields import UNCHANGEABLE, Flag, Id, Input, JsonObjectField, Shapes, Time, make_list_query
from app.api.schemas.json_kinds import NAME_PATTERN, RESOURCE_LIST, STORED_RESOURCES
from app.api.schemas.save_warnings import Warned
from app.engine.json_types import JSON, JsonObject
from app.engine.known_keys.of_items import ITEMS
from app.engine.status import ErrorHandling
from app.engine.webhooks.events import OF_RUNS

_FIVE_FIELDS: Final = {"pattern": r"^\s*[^\s]+(\s+[^\s]+){4}\s*$", "maxLength": 200}
_ERROR_HANDLINGS: Final = [str(kind) for kind in ErrorHandling]


class TriggerPatch(Input):
    """A change of a cron trigger."""

    EMPTY_IS_ABSENT = True
    SHAPES: ClassVar[Shapes] = {"resources": ITEMS}

    sync_job_id = Id(metadata=UNCHANGEABLE)
    integrated_account_id = Id(metadata=UNCHANGEABLE)
    cron_expression = fields.String(
        metadata={
            "description": "Minute, hour, day of month, month and day of week; a new one has to be scheduled.",
            **_FIVE_FIELDS,
        }
    )
    timezone = fields.String(metadata={"description": "An IANA time zone; UTC by default."})
    args = JsonObjectField(metadata={"description": "The arguments of the runs."})
    resources = fields.Raw(allow_none=True, metadata={**RESOURCE_LIST, "description": "Replaces the job's resources."})
    daemon_group_key = fields.String(allow_none=True, metadata={"pattern": NAME_PATTERN})
    webhook_id = Id(allow_none=True)
    error_handling = fields.String(allow_none=True, validate=validate.OneOf(_ERROR_HANDLINGS))
    meta = JsonObjectField(allow_none=True, metadata={"description": "Yours: stored and shown, and not used."})
    enabled = Flag(metadata={"description": "Whether it creates runs; true is the same as POST .../schedule."})
    super_query = fields.Raw(
        allow_none=True, validate=validate.Equal(None, error="is not offered: leave it out or send null")
    )

    events_to_send = fields.List(
        fields.String(metadata={"enum": list(OF_RUNS)}),
        allow_none=True,
        metadata={"description": "The only events of its runs that the webhook gets; null is all."},
    )

    @pre_load
    def _without_empty(self, data: JSON, **_: object) -> JsonObject:
        """Read "" as null: typed SDKs send fields that have no value."""
        return {name: None if value == "" else value for name, value in data.items()}


class NewTrigger(TriggerPatch):
    """A cron trigger to create."""

    sync_job_id = Id(required=True)
    integrated_account_id = Id(required=True)
    cron_expression = fields.String(required=True, metadata=_FIVE_FIELDS)


class LastRun(Schema):
    """The result of a trigger's last due time."""

    due_at = Time()
    fired_at = Time()
    sync_job_run_id = Id(allow_none=True)
    error = fields.String(allow_none=True, metadata={"description": "Why it created no run."})


class Trigger(Warned):
    """A cron trigger."""

    id = Id()
    sync_job_id = Id()
    integrated_account_id = Id()
    cron_expression = fields.String()
    timezone = fields.String()
    args = JsonObjectField()
    resources = fields.Raw(allow_none=True, metadata=STORED_RESOURCES)
    daemon_group_key = fields.String(allow_none=True)
    webhook_id = Id(allow_none=True)
    error_handling = fields.String(allow_none=True)
    events_to_send = fields.List(fields.String(), allow_none=True)
    meta = JsonObjectField(allow_none=True)
    enabled = fields.Boolean()
    next_run_at = Time(allow_none=True)
    last_run = fields.Nested(LastRun, allow_none=True)
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


TriggerQuery = make_list_query(
    "TriggerQuery",
    {"sync_job_id": Id(), "integrated_account_id": Id(), "enabled": Flag(), "environment_id": Id()},
    sorts=("updated_at",),
)
