"""The rate budgets of accounts."""

from marshmallow import Schema, fields

from app.api.schemas.fields import Id, Time


class BudgetQuota(Schema):
    """The requests that an upstream says remain."""

    left = fields.Integer()
    size = fields.Integer(allow_none=True)
    resets_at = Time()


class ParkedRun(Schema):
    """A run with units of work that sleep until their account takes requests again."""

    run_id = Id()
    units = fields.Integer()
    wakes_at = Time(metadata={"description": "When the first of them goes on by itself."})


class AccountBudget(Schema):
    """What was learned of an account's limits, and who waits for them."""

    id = Id()
    is_shared = fields.Boolean(
        metadata={"description": "All daemons share it. Else, without Redis, each has its own, which is not seen here."}
    )
    is_known = fields.Boolean(metadata={"description": "Requests of the last hour have taught something."})
    is_reachable = fields.Boolean(
        metadata={"description": "false while Redis is away: who waits is known all the same."}
    )
    paused_until = Time(allow_none=True, metadata={"description": "No request is sent before."})
    requests_at_once = fields.Integer(allow_none=True)
    requests_per_second = fields.Float(
        allow_none=True, metadata={"description": "null is as many as the upstream answers."}
    )
    refusals_in_a_row = fields.Integer()
    under_way = fields.Integer(metadata={"description": "Requests that wait for their answer."})
    waiting = fields.Integer(metadata={"description": "Requests that wait in the daemons."})
    quota = fields.Nested(BudgetQuota, allow_none=True)
    parked_runs = fields.List(fields.Nested(ParkedRun))


class BudgetReset(Schema):
    """What a reset let go on."""

    id = Id()
    runs = fields.List(fields.String(), metadata={"description": "The runs that waited for the account's limit."})
