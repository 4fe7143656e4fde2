"""The log: one query for all of its kinds, and one schema with the fields of every kind."""

from collections.abc import Mapping, Set
from typing import Any, Final

from marshmallow import ValidationError, fields, pre_load, validate

from app.api.schemas.fields import Id, JsonObjectField, SortedListing, Sparse, Time, make_list_query
from app.api.schemas.webhooks import STATUSES, Delivery
from app.engine.json_types import JSON, JsonObject
from app.engine.logs.entries import RUN_EVENTS, LogType, expand_event_name

_TYPES: Final = [str(kind) for kind in LogType]
_EVENTS: Final = [*RUN_EVENTS, *(event.partition(":")[2] for event in RUN_EVENTS)]
_APIS: Final = ("unified", "proxy", "custom")
_OUTER: Final = "log_type_filter["


class RunEvent(fields.String):
    """What happened in a run; the name's beginning may be left out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(metadata={"enum": _EVENTS}, **options)

    def _deserialize(self, value: JSON, attr: str | None, data: Mapping[str, JSON] | None, **options: Any) -> str:
        name = expand_event_name(super()._deserialize(value, attr, data, **options))
        if name not in RUN_EVENTS:
            raise ValidationError(f"expected one of {', '.join(RUN_EVENTS)}")
        return name


class LogListing(SortedListing):
    """A list that takes ``log_type_filter[name]=value`` for ``name=value``."""

    @classmethod
    def spellings(cls, names: Set[str]) -> Set[str]:
        """Add the spellings with ``log_type_filter``."""
        return names | {_wrap_name(name) for name in names}

    @pre_load
    def _unwrap(self, data: JsonObject, **_: Any) -> JsonObject:
        plain = {name: value for name, value in data.items() if not name.startswith(_OUTER)}
        wrapped = {name: value for name, value in data.items() if name.startswith(_OUTER)}
        return {**{_unwrap_name(name): value for name, value in wrapped.items()}, **plain}


def _wrap_name(name: str) -> str:
    """Turn ``name[in]`` into ``log_type_filter[name][in]``."""
    inner, bracket, rest = name.partition("[")
    return f"{_OUTER}{inner}]{bracket}{rest}"


def _unwrap_name(name: str) -> str:
    """Turn ``log_type_filter[name][in]`` into ``name[in]``."""
    inner, _, rest = name.removeprefix(_OUTER).partition("]")
    return inner + rest


_FILTERS: Final[dict[str, fields.Field[Any]]] = {
    "log_type": fields.String(
        required=True,
        validate=validate.OneOf(_TYPES, error="expected one of {choices}"),
        metadata={
            "description": "The kind of log; rapid_bridge is sync_job_run. Each filter is also written "
            "log_type_filter[name]=value."
        },
    ),
    "environment_id": Id(),
    "sync_job_run_id": Id(),
    "sync_job_id": Id(),
    "sync_job_run_event": RunEvent(),
    "integrated_account_id": Id(),
    "integration": fields.String(metadata={"description": "An integration's name."}),
    "webhook_id": Id(),
    "event": fields.String(),
    "status": fields.String(validate=validate.OneOf(STATUSES), metadata={"description": "Of a delivery."}),
    "resource": fields.String(metadata={"description": "Of a direct call: model/resource, or the account's own."}),
    "method": fields.String(),
    "request_type": fields.String(
        validate=validate.OneOf(_APIS, error="expected one of {choices}"), metadata={"description": "Of a direct call."}
    ),
    "sync_job_cron_trigger_id": Id(),
}
LogQuery = make_list_query("LogQuery", _FILTERS, listing=LogListing, times=("created_at",))


class LogEntry(Delivery, Sparse):
    """An entry of any kind, with those of these fields that its kind has."""

    log_type = fields.String(validate=validate.OneOf(_TYPES))
    id = Id()
    _id = Id(metadata={"description": "The id too."})
    environment_id = Id()
    created_at = Time(metadata={"description": "Its position in the log: entries are sorted and filtered by it."})
    timestamp = Time(
        metadata={"description": "When it happened; a run's `started` stands beside its `created` in the log."}
    )
    metadata = JsonObjectField(metadata={"description": "The ids of the objects that it is about."})

    sync_job_run_event = fields.String(validate=validate.OneOf(RUN_EVENTS))
    sync_job_id = Id()
    integrated_account_id = Id(allow_none=True)
    integration = fields.String(allow_none=True)
    webhook_id = Id(allow_none=True)
    status = fields.String(
        allow_none=True,
        metadata={
            "description": "Of a run as of this event, null where the event is none of its status; of a delivery."
        },
    )
    resource = fields.String(allow_none=True)
    method = fields.String(allow_none=True)
    sync_job_request_type = fields.String(
        allow_none=True, metadata={"description": "unified, proxy, transform or spool."}
    )
    num_records = fields.Integer(allow_none=True)
    retry_after = fields.Integer(allow_none=True, metadata={"description": "Seconds that the upstream asks to wait."})
    retry_count = fields.Integer(allow_none=True, metadata={"description": "Attempts of a delivery after its first."})
    delivery_status = fields.String(
        allow_none=True, metadata={"description": "null where the entry is about the run itself, not about a delivery."}
    )
    webhook_status = fields.Integer(allow_none=True, metadata={"description": "The receiver's last answer."})
    webhook_successful = fields.Boolean(allow_none=True, metadata={"description": "null until that is decided."})
    error = fields.Raw(
        allow_none=True,
        metadata={
            "anyOf": [{"type": "object"}, {"type": "string"}, {"type": "null"}],
            "description": "Why a run failed, or what failed in it: an object. Of triggers and direct calls a text.",
        },
    )
    logs = fields.List(fields.String())

    webhook_endpoint_status = fields.Integer(allow_none=True)

    api = fields.String(metadata={"description": "unified, proxy or custom."})
    response_status = fields.Integer(metadata={"description": "What a direct call was answered."})
    duration_ms = fields.Integer()
    request_id = Id(metadata={"description": "The X-Request-Id of the answer."})

    sync_job_cron_trigger_id = Id()
    due_at = Time()
