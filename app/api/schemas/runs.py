"""Sync job runs: the fields of the compatible API, and Ferryman's own."""

from typing import Any, ClassVar

from marshmallow import Schema, fields, pre_load, validate
from webargs.fields import DelimitedList

from app.api.schemas.fields import (
    Flag,
    Id,
    Input,
    JsonObjectField,
    Query,
    QueryNumber,
    Reasons,
    Shapes,
    Time,
    Whole,
    make_list_query,
)
from app.api.schemas.json_kinds import NAME_PATTERN, RESOURCE_LIST, STORED_RESOURCES
from app.api.schemas.save_warnings import Warned
from app.engine.json_types import JSON, JsonObject
from app.engine.known_keys.of_items import ITEMS
from app.engine.status import ErrorHandling, RunStatus
from app.engine.webhooks.events import OF_RUNS
from app.services.diagnosis.waits import WaitKind

_STATUSES = [str(status) for status in RunStatus]
_ERROR_HANDLINGS = [str(kind) for kind in ErrorHandling]


class NewRun(Input):
    """A run to create."""

    EMPTY_IS_ABSENT = True
    SHAPES: ClassVar[Shapes] = {"resources": ITEMS}
    NOT_SERVED: ClassVar[Reasons] = {
        "super_query": "records are kept in this installation's own database",
        "datastore_id": "records go to the run's webhook, or are kept",
        "team_id": "there are environments, and no teams",
    }

    sync_job_id = Id(required=True, metadata={"description": "The sync job to run."})
    integrated_account_id = Id(required=True, metadata={"description": "The account to run it for."})
    args = JsonObjectField(metadata={"description": "The arguments that the job's args_schema describes."})
    daemon_group_key = fields.String(
        metadata={"description": "The daemon group that runs it; excludes webhook_id.", "pattern": NAME_PATTERN}
    )
    webhook_id = Id(metadata={"description": "The webhook that gets the records; excludes daemon_group_key."})
    error_handling = fields.String(validate=validate.OneOf(_ERROR_HANDLINGS))
    ignore_previous_run = Flag(metadata={"description": "Run a full sync: previous_run_date does not resolve."})
    overlap_seconds = Whole(
        validate=validate.Range(0, 30 * 24 * 3600, error="expected seconds from 0 to 2592000"),
        metadata={"description": "How far an increment reaches back before the last one's upper bound."},
    )
    mutex_key = fields.String(
        validate=validate.Length(max=500),
        metadata={"description": "Replaces the job's mutex_key for this run; may hold placeholders."},
    )
    force = Flag(metadata={"description": "Start at once, even if another run holds the mutex."})
    state_key = fields.String(
        validate=validate.Length(max=500),
        metadata={"description": "Replaces the job's state_key for this run; may hold placeholders."},
    )
    events_to_send = fields.List(
        fields.String(metadata={"enum": list(OF_RUNS)}),
        allow_none=True,
        metadata={"description": "The only events that the webhook gets, such as sync_job_run:record; null is all."},
    )
    wait_for_destinations = Flag(
        metadata={
            "description": "Complete once the records are at every destination that reads them; excludes webhook_id."
        }
    )
    resources = fields.Raw(metadata={**RESOURCE_LIST, "description": "Replaces the job's resources for this run."})

    @pre_load
    def _without_empty(self, data: JSON, **_: Any) -> JsonObject:
        """Read "" as absent: typed SDKs send fields that have no value."""
        return {name: value for name, value in data.items() if value != ""}


class RunPatch(Input):
    """A change of a run: it can only be stopped."""

    status = fields.String(
        validate=validate.OneOf(_STATUSES, error="a run can only be set to 'stopped'"),
        metadata={"enum": [RunStatus.STOPPED.value]},
    )


class RunWait(Query):
    """Whether to wait for a run's end."""

    wait = QueryNumber(
        validate=validate.Range(0, 60, error="expected seconds from 0 to 60"),
        metadata={"description": "Answer once the run has ended, or after this many seconds."},
    )


class RunResume(Input):
    """How to resume a run."""

    errors_only = Flag(
        metadata={"description": "Request again only what failed, and nothing else that the run has not done."}
    )


class EmbeddedJob(Schema):
    """The job of a run, as it was when the run was created."""

    id = Id()
    integration_name = fields.String()
    args_schema = JsonObjectField()
    resources = fields.Raw(metadata=STORED_RESOURCES)
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


class RunReason(Schema):
    """Why a run failed."""

    code = fields.String()
    message = fields.String()
    resource = fields.String(allow_none=True)
    at = Time()


class RunDestination(Schema):
    """What became of a run's records at a destination that it has waited for."""

    destination_id = Id()
    label = fields.String(allow_none=True)
    through = fields.Integer(metadata={"description": "Up to which number of the account's log it was written."})
    records = fields.Integer(metadata={"description": "The run's entries that it has read: the sum of the next four."})
    written = fields.Integer()
    unchanged = fields.Integer(metadata={"description": "The target held them already."})
    quarantined = fields.Integer(
        metadata={"description": "Those that do not fit a frozen schema, or that the target can not hold."}
    )
    filtered = fields.Integer(metadata={"description": "Those of resources that the destination does not want."})


class Run(Warned):
    """A sync job run."""

    id = Id()
    environment_id = Id()
    sync_job_id = Id()
    integrated_account_id = Id()
    status = fields.String(validate=validate.OneOf(_STATUSES))
    args = JsonObjectField()
    resources = fields.Raw(metadata=STORED_RESOURCES)
    daemon_id = fields.String(allow_none=True)
    daemon_group_key = fields.String(allow_none=True)
    webhook_id = fields.String(allow_none=True)
    error_handling = fields.String(validate=validate.OneOf(_ERROR_HANDLINGS))
    ignore_previous_run = fields.Boolean()
    version = fields.Integer()
    previous_run_date = Time(
        allow_none=True,
        metadata={
            "description": "The earliest date that increments ask from: the last completed run's upper_bound less the "
            "overlap, unless a page was not read. resource_stats shows that of each resource."
        },
    )
    upper_bound = Time(
        allow_none=True,
        metadata={"description": "The run's start on the upstream's clock, taken from its first answer."},
    )
    overlap_seconds = fields.Integer()
    resource_stats = JsonObjectField(metadata={"component": "RunStats"})
    error = fields.Nested(RunReason, allow_none=True)
    mutex_key = fields.String(
        allow_none=True, metadata={"description": "Resolved: runs of one job with one key never run together."}
    )
    force = fields.Boolean(metadata={"description": "It started even if another run held its mutex."})
    state_key = fields.String(allow_none=True, metadata={"description": "Resolved: the namespace of the run's states."})
    events_to_send = fields.List(
        fields.String(), allow_none=True, metadata={"description": "The only events that the webhook gets; null: all."}
    )
    changes_only = fields.Boolean(
        metadata={"description": "The webhook gets only the records that have changed since it last got them."}
    )
    wait_for_destinations = fields.Boolean(
        metadata={"description": "It completes once its records are at every destination that reads them."}
    )
    destinations = fields.List(
        fields.Nested(RunDestination),
        allow_none=True,
        metadata={"description": "Of a run that has waited for its destinations: what became of its records there."},
    )
    waiting_on = fields.String(
        allow_none=True, metadata={"description": "The run that a created run waits for: they share a mutex."}
    )
    resumes = fields.Integer(metadata={"description": "How many times it was resumed."})
    retry_after = Time(allow_none=True, metadata={"description": "When a rate_limited run continues by itself."})
    created_at = Time()
    updated_at = Time()
    started_at = Time(allow_none=True)
    finished_at = Time(allow_none=True)
    sync_job = fields.Nested(EmbeddedJob)


class RunError(Schema):
    """A recorded error of a run."""

    id = Id()
    sync_job_run_id = Id()
    resource = fields.String(allow_none=True)
    method = fields.String(allow_none=True)
    code = fields.String()
    message = fields.String()
    details = JsonObjectField()
    created_at = Time()


class BooksCheck(Schema):
    """One equation of a run's books, recounted."""

    resource = fields.String()
    equation = fields.String()
    left = fields.Integer()
    right = fields.Integer()
    holds = fields.Boolean()


class RunVerification(Schema):
    """A run's books, recounted."""

    id = Id()
    status = fields.String(validate=validate.OneOf(_STATUSES))
    balanced = fields.Boolean(metadata={"description": "Every check holds."})
    checks = fields.List(fields.Nested(BooksCheck))


class RunWaitFor(Schema):
    """A reason why a run waits."""

    kind = fields.String(metadata={"enum": [str(kind) for kind in WaitKind]})
    message = fields.String(metadata={"description": "Ends the sentence: it waits for ..."})
    until = Time(allow_none=True, metadata={"description": "When the wait ends by itself; null: not known."})
    resource = fields.String(allow_none=True)


class ResourcePace(Schema):
    """How fast an upstream answers for a resource."""

    resource = fields.String()
    method = fields.String()
    status = fields.String()
    requests = fields.Integer(metadata={"description": "Those that were answered or failed."})
    latency_ms = fields.Float(allow_none=True, metadata={"description": "The average time of an answer."})
    usual_latency_ms = fields.Float(
        allow_none=True,
        metadata={"description": "The same in the last 20 runs of the job for the account that completed."},
    )
    requests_per_second = fields.Float(allow_none=True)
    silent_seconds = fields.Float(
        allow_none=True,
        metadata={"description": "How long ago requests that are under way last made progress; null: none are."},
    )
    is_slow = fields.Boolean(metadata={"description": "It takes five times as long as usual, or longer."})


class RunWaits(Schema):
    """What a run waits for, the most important first, and how fast its upstream answers."""

    id = Id()
    status = fields.String(validate=validate.OneOf(_STATUSES))
    reason = fields.String(metadata={"description": "What it waits for, or what it ended by, in one sentence."})
    waits = fields.List(fields.Nested(RunWaitFor))
    resources = fields.List(fields.Nested(ResourcePace))
    seconds = fields.Float(allow_none=True, metadata={"description": "How long it has taken, or took."})
    usual_seconds = fields.Float(
        allow_none=True, metadata={"description": "The median of its last 20 runs for the account that completed."}
    )
    is_slow = fields.Boolean(metadata={"description": "It takes five times as long as usual, or longer."})


_filters: dict[str, fields.Field[Any]] = {
    "sync_job_id": Id(),
    "integrated_account_id": Id(),
    "status": DelimitedList(fields.String(validate=validate.OneOf(_STATUSES))),
    "status[eq]": fields.String(validate=validate.OneOf(_STATUSES)),
    "status[in]": DelimitedList(fields.String(validate=validate.OneOf(_STATUSES))),
    "has_errors": Flag(
        metadata={"description": "Only runs that ended with errors which no resume has mended, or only all others."}
    ),
}
RunQuery = make_list_query("RunQuery", _filters)
