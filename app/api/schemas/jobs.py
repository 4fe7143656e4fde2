"""Sync jobs, and the templates that they begin with."""

from typing import Any, ClassVar, Final

from marshmallow import ValidationError, fields, validate

from app.api.schemas.fields import (
    NO_TEAMS,
    SHARING,
    TEXT,
    Flag,
    Id,
    Input,
    JsonObjectField,
    Reasons,
    Shapes,
    Time,
    Whole,
    make_list_query,
)
from app.api.schemas.json_kinds import ARGS_SCHEMA, RESOURCE_LIST, STORED_RESOURCES
from app.api.schemas.save_warnings import Warned
from app.engine.json_types import JSON
from app.engine.known_keys.of_items import ITEMS

_SORTS: Final = ("updated_at", "label", "integration_name")


class RuntimeVersion(fields.Field[int]):
    """A version from 1 to 4; the official SDK for TypeScript sends it as text."""

    def __init__(self, **options: Any) -> None:
        kinds = [{"type": "integer", "minimum": 1, "maximum": 4}, {"type": "string", "enum": ["1", "2", "3", "4"]}]
        super().__init__(metadata={"oneOf": kinds}, **options)

    def _deserialize(self, value: JSON, attr: str | None, data: Any, **options: Any) -> int:
        if isinstance(value, bool) or value not in (1, 2, 3, 4, "1", "2", "3", "4"):
            raise ValidationError("expected a version from 1 to 4")
        return int(value)


class JobPatch(Input):
    """A change of a sync job."""

    SHAPES: ClassVar[Shapes] = {"resources": ITEMS}

    integration_name = fields.String(validate=TEXT)
    label = fields.String(validate=TEXT)
    args_schema = fields.Raw(metadata=ARGS_SCHEMA)
    args_validation = fields.String(allow_none=True)
    resources = fields.Raw(metadata=RESOURCE_LIST)
    default_runtime_version = RuntimeVersion()
    mutex_key = fields.String(allow_none=True)
    state_key = fields.String(allow_none=True)
    overlap_seconds = Whole(
        allow_none=True,
        validate=validate.Range(0, 30 * 24 * 3600, error="expected seconds from 0 to 2592000"),
        metadata={"description": "How far increments reach back before the last one's upper bound; null: 120."},
    )
    wait_for_destinations = Flag(
        metadata={"description": "Runs complete once their records are at every destination that reads them."}
    )


class NewJob(JobPatch):
    """A sync job to create."""

    integration_name = fields.String(required=True, validate=TEXT)


class Job(Warned):
    """A sync job."""

    id = Id()
    integration_name = fields.String()
    label = fields.String()
    args_schema = JsonObjectField()
    args_validation = fields.String(allow_none=True)
    resources = fields.Raw(metadata=STORED_RESOURCES)
    default_runtime_version = fields.Integer()
    mutex_key = fields.String(allow_none=True)
    state_key = fields.String(allow_none=True)
    overlap_seconds = fields.Integer(allow_none=True)
    wait_for_destinations = fields.Boolean()
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


class JobVerdict(Warned):
    """The job is valid; one with faults is answered 400, as its creation would be."""

    valid = fields.Boolean(validate=validate.Equal(True))


JobQuery = make_list_query(
    "JobQuery",
    {"integration_name": fields.String(), "label": fields.String(), "environment_id": Id()},
    sorts=_SORTS,
)


class TemplatePatch(Input):
    """A change of a template."""

    SHAPES: ClassVar[Shapes] = {"resources": ITEMS}
    NOT_SERVED: ClassVar[Reasons] = {"team_id": NO_TEAMS}

    label = fields.String(validate=TEXT)
    integration_name = fields.String(allow_none=True, validate=TEXT)
    description = fields.String(allow_none=True)
    sharing = fields.String(validate=SHARING)
    args_schema = fields.Raw(metadata=ARGS_SCHEMA)
    args_validation = fields.String(allow_none=True)
    resources = fields.Raw(metadata=RESOURCE_LIST)
    default_runtime_version = RuntimeVersion()


class NewTemplate(TemplatePatch):
    """A template to create."""

    label = fields.String(required=True, validate=TEXT)


class Template(Warned):
    """A template."""

    id = Id()
    label = fields.String()
    integration_name = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    sharing = fields.String()
    args_schema = JsonObjectField()
    args_validation = fields.String(allow_none=True)
    resources = fields.Raw(metadata=STORED_RESOURCES)
    default_runtime_version = fields.Integer()
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


TemplateQuery = make_list_query(
    "TemplateQuery",
    {"integration_name": fields.String(), "label": fields.String(), "environment_id": Id()},
    sorts=_SORTS,
)
