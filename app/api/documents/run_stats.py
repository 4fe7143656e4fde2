"""The contents of a run's `resource_stats`, as components."""

from dataclasses import fields
from typing import Final

from app.api.schemas.json_kinds import ref
from app.engine.json_types import JsonObject
from app.engine.records.outcomes import ReadingReason, ReadingWay
from app.engine.runs.books import Counters
from app.engine.status import ResourceStatus

_TIME: Final[JsonObject] = {"type": ["string", "null"], "format": "date-time"}
_COUNT: Final[JsonObject] = {"type": "integer"}
_REASONS: Final = [str(reason) for reason in ReadingReason]

COMPONENTS: Final[JsonObject] = {
    "RunStats": {
        "type": "object",
        "description": "By resource and method.",
        "additionalProperties": {"type": "object", "additionalProperties": ref("ResourceStats")},
    },
    "ResourceStats": {
        "type": "object",
        "description": "What one resource of a run has come to; a run shows the counters that its version knew.",
        "properties": {
            "status": {"type": "string", "enum": [str(status) for status in ResourceStatus]},
            "persisted": {**_COUNT, "description": "Records that are kept, or delivered."},
            **{counter.name: _COUNT for counter in fields(Counters)},
            "expected": {
                "type": ["integer", "null"],
                "description": "The records that the upstream's totals declare; null where it declares none.",
            },
            "warnings": {
                "type": "object",
                "additionalProperties": {},
                "description": "By code: how often, and the first message.",
            },
            "reading": {
                "type": "object",
                "properties": {str(way): {"type": "string", "enum": _REASONS} for way in ReadingWay},
                "description": "How the lists are read, and why: ways of requesting their pages, each with a reason.",
            },
            "started_at": _TIME,
            "finished_at": _TIME,
            "previous_run_date": {**_TIME, "description": "From when the resource asked for changes."},
        },
    },
}
