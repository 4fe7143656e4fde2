"""Unified models, what environments change about them, and the mappings of their methods."""

from typing import Any, ClassVar, Final

from marshmallow import fields, validate

from app.api.schemas.fields import (
    NO_TEAMS,
    OWN_ENVIRONMENT,
    SEEN_VERSION,
    SHARING,
    SLUG,
    UNCHANGEABLE,
    Id,
    Input,
    JsonObjectField,
    Reasons,
    Shapes,
    Time,
    Whole,
    make_list_query,
)
from app.api.schemas.save_warnings import Warned
from app.engine.known_keys.of_unified import MAPPING, MODEL_RESOURCES

_NAME: Final = validate.Length(min=1, max=100)
_RESOURCES: Final = {"component": "UnifiedModelResources"}
_CONFIG: Final = {"component": "MappingConfig"}


class _ModelFields(Input):
    SHAPES: ClassVar[Shapes] = {"resources": MODEL_RESOURCES}
    NOT_SERVED: ClassVar[Reasons] = {
        **dict.fromkeys(("team_id", "team"), NO_TEAMS),
        "scopes": "which scopes a method needs is not checked",
    }

    category = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    sharing = fields.String(validate=SHARING)
    resources = fields.Raw(metadata=_RESOURCES)


class NewUnifiedModel(_ModelFields):
    """A unified model to create."""

    name = fields.String(required=True, validate=SLUG)


class UnifiedModelPatch(_ModelFields):
    """A change of a unified model; its resources are merged deeply, and null takes a key away."""

    name = fields.String(validate=SLUG, metadata=UNCHANGEABLE)
    version = Whole(metadata=SEEN_VERSION)


class UnifiedModel(Warned):
    """A unified model."""

    id = Id()
    name = fields.String()
    category = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    sharing = fields.String()
    resources = JsonObjectField(metadata=_RESOURCES)
    version = fields.Integer()
    installed_environment = fields.List(Id(), metadata=OWN_ENVIRONMENT)
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


UnifiedModelQuery = make_list_query(
    "UnifiedModelQuery",
    {"name": fields.String(), "category": fields.String(), "environment_id": Id()},
    sorts=("updated_at", "name"),
)


class InstalledModelPatch(Input):
    """A change of what an environment changes about a unified model."""

    override = JsonObjectField(metadata={"description": "Replaced whole."})


class NewInstalledModel(InstalledModelPatch):
    """A unified model to install into the environment; sent twice, it is installed once."""

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


InstalledModelQuery = make_list_query(
    "InstalledModelQuery",
    {"unified_model_id": Id(), "environment_id": Id()},
    sorts=("updated_at",),
)


class MappingPatch(Input):
    """A change of a mapping; its config is merged deeply, and null takes a key away."""

    SHAPES: ClassVar[Shapes] = {"config": MAPPING}

    config = fields.Raw(metadata=_CONFIG)
    resource_name = fields.String(validate=_NAME)
    integration_name = fields.String(validate=_NAME)
    method_name = fields.String(validate=_NAME)
    version = Whole(metadata=SEEN_VERSION)


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
    """A mapping of an environment, which is laid over the base."""

    environment_unified_model_id = Id(required=True)


class UnifiedMapping(Warned):
    """How an integration implements one method of a unified model."""

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
    """A mapping of an environment."""

    environment_unified_model_id = Id()


_place: dict[str, fields.Field[Any]] = {
    "resource_name": fields.String(),
    "integration_name": fields.String(),
    "method_name": fields.String(),
    "environment_id": Id(),
}
_place_sorts: Final = ("updated_at", "resource_name", "integration_name", "method_name")
MappingQuery = make_list_query("MappingQuery", {"unified_model_id": Id(), **_place}, sorts=_place_sorts)
EnvironmentMappingQuery = make_list_query(
    "EnvironmentMappingQuery",
    {"environment_unified_model_id": Id(), **_place},
    sorts=_place_sorts,
)
