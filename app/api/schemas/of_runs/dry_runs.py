"""The result of a dry run."""

from marshmallow import Schema, fields

from app.api.schemas.fields import Id, JsonObjectField
from app.engine.jobs.items import NodeKind


class ShownRequest(Schema):
    """A request as it would be sent, secrets masked."""

    method = fields.String()
    url = fields.String()
    headers = fields.Dict(keys=fields.String(), values=fields.String())
    body = fields.String(allow_none=True)


class ShownFault(Schema):
    """A fault that the run would have."""

    code = fields.String()
    message = fields.String()


class FirstPage(Schema):
    """The first page of a root."""

    records = fields.List(fields.Raw())
    count = fields.Integer()
    has_more = fields.Boolean()
    errors = fields.List(fields.Nested(ShownFault), metadata={"description": "Records that could not be mapped."})


class TriedItem(Schema):
    """How an item of the job would begin."""

    name = fields.String()
    resource = fields.String()
    method = fields.String()
    type = fields.String(metadata={"enum": [str(kind) for kind in NodeKind]})
    depends_on = fields.String(allow_none=True)
    persist = fields.Boolean()
    request = fields.Nested(ShownRequest, allow_none=True)
    requests_at_least = fields.Integer()
    first_page = fields.Nested(FirstPage, allow_none=True)
    error = fields.Nested(ShownFault, allow_none=True)


class Estimate(Schema):
    """How many requests and seconds the run would take."""

    requests_at_least = fields.Integer()
    is_exact = fields.Boolean()
    requests_per_second = fields.Float(allow_none=True, metadata={"description": "The pace that `rate_limit` names."})
    seconds_at_least = fields.Float(allow_none=True)


class DryRun(Schema):
    """A run's plan, its first requests and the first pages of its roots; nothing was written."""

    sync_job_id = Id()
    integrated_account_id = Id()
    args = JsonObjectField()
    resources = fields.List(fields.Nested(TriedItem))
    estimate = fields.Nested(Estimate)
