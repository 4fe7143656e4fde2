"""Bulk actions: what is done to every run that filters find."""

from typing import Any

from marshmallow import Schema, fields, validate
from webargs.fields import DelimitedList

from app.api.schemas.fields import Id, Input, JsonObjectField, Time, make_list_query
from app.engine.objects.bulk_actions import BulkKind, BulkStatus

_KINDS = [kind.value for kind in BulkKind]
_STATUSES = [status.value for status in BulkStatus]
_FILTERS = {
    "description": "status (one or a list), job, account, tenant, args (path=value, one or a list), error, since, "
    "until, finished_from, finished_to; none is every run.",
}


class NewBulkAction(Input):
    """An action on every run that matches and that there is something to do for."""

    kind = fields.String(
        required=True,
        validate=validate.OneOf(_KINDS, error=f"expected one of: {', '.join(_KINDS)}"),
        metadata={
            "description": "stop: live runs. resume: failed and stopped ones. retry_errors: ended ones with errors."
        },
    )
    filters = JsonObjectField(metadata=_FILTERS)


class BulkAction(Schema):
    """An action on every run that matched when they were counted."""

    id = Id()
    environment_id = Id()
    kind = fields.String(metadata={"enum": _KINDS})
    filters = JsonObjectField(metadata=_FILTERS)
    status = fields.String(
        metadata={
            "enum": _STATUSES,
            "description": "counting, counted (waits for its confirmation), acting, finished or cancelled.",
        }
    )
    counted = fields.Integer(metadata={"description": "The runs that it is for; final once it is counted."})
    done = fields.Integer()
    skipped = fields.Integer(metadata={"description": "Runs that there was nothing to do for by then."})
    failed = fields.Integer()
    created_at = Time()
    updated_at = Time()
    confirmed_at = Time(allow_none=True)
    finished_at = Time(allow_none=True)
    last_error = fields.String(allow_none=True, metadata={"description": "Why it does not go on."})


_filters: dict[str, fields.Field[Any]] = {
    "kind": fields.String(validate=validate.OneOf(_KINDS)),
    "status": DelimitedList(fields.String(validate=validate.OneOf(_STATUSES))),
    "status[eq]": fields.String(validate=validate.OneOf(_STATUSES)),
    "status[in]": DelimitedList(fields.String(validate=validate.OneOf(_STATUSES))),
}
BulkActionQuery = make_list_query("BulkActionQuery", _filters)
