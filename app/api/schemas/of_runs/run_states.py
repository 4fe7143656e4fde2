"""States that are kept from one run to the next."""

from typing import Final

from marshmallow import fields, validate

from app.api.schemas.fields import Id, Input, Query, Time, make_list_query
from app.api.schemas.save_warnings import Warned

_NAME: Final = validate.Length(min=1, max=500)
_STATE_KEY: Final = {"description": "The namespace: what a run's state_key resolved to."}
_VALUE: Final = {"description": "Any JSON."}


class StateQuery(Query):
    """The namespace of the state."""

    state_key = fields.String(required=True, validate=_NAME, metadata=_STATE_KEY)


class StatePatch(Input):
    """A new value."""

    value = fields.Raw(required=True, allow_none=True, metadata=_VALUE)
    sync_job_run_id = Id(allow_none=True, metadata={"description": "The run that writes it."})


class NewState(StatePatch):
    """A value to store, which replaces the one with its key."""

    state_key = fields.String(required=True, validate=_NAME, metadata=_STATE_KEY)
    key = fields.String(required=True, validate=_NAME)


class State(Warned):
    """A stored value."""

    state_key = fields.String()
    key = fields.String()
    value = fields.Raw(allow_none=True, metadata=_VALUE)
    sync_job_run_id = Id(allow_none=True)
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


StateListQuery = make_list_query(
    "StateListQuery",
    {
        "state_key": fields.String(required=True, validate=_NAME, metadata=_STATE_KEY),
        "key": fields.String(),
        "sync_job_run_id": Id(),
    },
)
