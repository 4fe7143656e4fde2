"""The log."""

from typing import Final

from marshmallow import Schema, fields, validate

from app.api.schemas.fields import Id, SortedListing, Time, narrowed

_TRIGGERS: Final = "sync_job_cron_trigger"
_OTHERS: Final = (
    # Doubled braces: marshmallow formats the text.
    "expected sync_job_cron_trigger: of runs see /sync-job-run/{{id}}/errors, of webhooks /webhook/{{id}}/deliveries"
)


class Fire(Schema):
    """What became of a due time of a cron trigger."""

    id = Id()
    sync_job_cron_trigger_id = Id()
    due_at = Time()
    sync_job_run_id = Id(allow_none=True)
    error = fields.String(allow_none=True, metadata={"description": "Why it made no run."})
    environment_id = Id()
    created_at = Time(metadata={"description": "When it was fired."})


LogQuery = narrowed(
    SortedListing,
    "LogQuery",
    {
        "log_type": fields.String(
            required=True, validate=validate.Equal(_TRIGGERS, error=_OTHERS), metadata={"enum": [_TRIGGERS]}
        ),
        "sync_job_cron_trigger_id": Id(),
        "sync_job_run_id": Id(),
    },
    times=("created_at",),
)
