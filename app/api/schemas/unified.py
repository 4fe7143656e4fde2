"""Unified models, what environments change about them, and the mappings of their methods."""

from typing import Any, ClassVar, Final

from marshmallow import fields, validate

from app.api.schemas.catalog import SLUG
from app.api.schemas.fields import Id, Input, JsonObjectField, Reasons, Shapes, SortedListing, Time, Whole, narrowed
from app.api.schemas.warned import Warned
from app.engine.known_keys.of_unified import MAPPING, MODEL_RESOURCES

_TIMES: Final = ("created_at", "updated_at")
_NAME: Final = validate.Length(min=1, max=100)
_VERSION: Final = {"description": "The version that you saw; refused when it is another by now."}
_OF_TEAMS: Final = dict.fromkeys(("team_id", "team"), "there are environments, and no teams") | {
    "scopes": "which scopes a method needs is not checked"
}
_RESOURCES: Final = {"component": "UnifiedModelResources"}
_CONFIG: Final = {"component": "MappingConfig"}


class UnifiedModelPatch(Input):
    """A change of a unified model; its resources are merged deeply, and null takes a key away."""

    SHAPES: ClassVar[Shapes] = {"resources": MODEL_RESOURCES}
    NOT_SERVED: ClassVar[Reasons] = _OF_TEAMS

    name = fields.String(validate=SLUG, metadata={"description": "Can not be changed; the present one is accepted."})
    category = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    sharing = fields.String(validate=validate.OneOf(["deny", "ask", "allow"]))
    resources = fields.Raw(metadata=_RESOURCES)
    version = Whole(metadata=_VERSION)


class NewUnifiedModel(Input):
    """A unified model to create."""

    SHAPES: ClassVar[Shapes] = {"resources": MODEL_RESOURCES}
    NOT_SERVED: ClassVar[Reasons] = _OF_TEAMS

    name = fields.String(required=True, validate=SLUG)
    category = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    sharing = fields.String(validate=validate.OneOf(["deny", "ask", "allow"]))
    resources = fields.Raw(metadata=_RESOURCES)


class UnifiedModel(Warned):
    """A unified model."""

    id = Id()
    name = fields.String()
    category = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    sharing = fields.String()
    resources = JsonObjectField(metadata=_RESOURCES)
    version = fields.Integer()
    installed_environment = fields.List(
        Id(), metadata={"description": "The environment that has it, which may use whatever it has."}
    )
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


UnifiedModelQuery = narrowed(
    SortedListing,
    "UnifiedModelQuery",
    {"name": fields.String(), "category": fields.String(), "environment_id": Id()},
    times=_TIMES,
    sorts=("updated_at", "name"),
)


class InstalledModelPatch(Input):
    """A change of what an environment changes about a unified model."""

    override = JsonObjectField(metadata={"description": "Replaced whole."})


class NewInstalledModel(InstalledModelPatch):
    """A unified model to install into the environment; sent twice it is one."""

    unified_model_id = Id(required=True)


class InstalledModel(Warned):
    """What an environment changes about a unified model."""

    id = Id()
    unified_model_id = Id()
    unified_model = fields.Nested(UnifiedModel)
    override = JsonObjectField()
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


InstalledModelQuery = narrowed(
    SortedListing,
    "InstalledModelQuery",
    {"unified_model_id": Id(), "environment_id": Id()},
    times=_TIMES,
    sorts=("updated_at",),
)


class MappingPatch(Input):
    """A change of a mapping; its config is merged deeply, and null takes a key away."""

    SHAPES: ClassVar[Shapes] = {"config": MAPPING}

    config = fields.Raw(metadata=_CONFIG)
    resource_name = fields.String(validate=_NAME)
    integration_name = fields.String(validate=_NAME)
    method_name = fields.String(validate=_NAME)
    version = Whole(metadata=_VERSION)


class _NewPlace(Input):
    SHAPES: ClassVar[Shapes] = {"config": MAPPING}

    resource_name = fields.String(required=True, validate=_NAME)
    integration_name = fields.String(required=True, validate=_NAME)
    method_name = fields.String(required=True, validate=_NAME)
    config = fields.Raw(metadata=_CONFIG)


class NewMapping(_NewPlace):
    """A mapping to create."""

    unified_model_id = Id(required=True)


class NewEnvironmentMapping(_NewPlace):
    """A mapping of an environment's, to be laid over the base."""

    environment_unified_model_id = Id(required=True)


class UnifiedMapping(Warned):
    """How an integration carries out one method of a unified model."""

    id = Id()
    unified_model_id = Id()
    resource_name = fields.String()
    integration_name = fields.String()
    method_name = fields.String()
    config = JsonObjectField(metadata=_CONFIG)
    version = fields.Integer()
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


class EnvironmentMapping(UnifiedMapping):
    """The same, as an environment has it."""

    environment_unified_model_id = Id()


_place: dict[str, fields.Field[Any]] = {
    "resource_name": fields.String(),
    "integration_name": fields.String(),
    "method_name": fields.String(),
    "environment_id": Id(),
}
_place_sorts: Final = ("updated_at", "resource_name", "integration_name", "method_name")
MappingQuery = narrowed(
    SortedListing, "MappingQuery", {"unified_model_id": Id(), **_place}, times=_TIMES, sorts=_place_sorts
)
EnvironmentMappingQuery = narrowed(
    SortedListing,
    "EnvironmentMappingQuery",
    {"environment_unified_model_id": Id(), **_place},
    times=_TIMES,
    sorts=_place_sorts,
)
