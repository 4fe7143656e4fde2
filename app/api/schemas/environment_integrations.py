"""Installed integrations."""

from typing import ClassVar

from marshmallow import fields, validate

from app.api.schemas.fields import Flag, Id, Input, JsonObjectField, Shapes, SortedListing, Time, narrowed
from app.api.warned import Warned
from app.engine.known_keys.of_integrations import INTEGRATION


class EnvironmentIntegrationPatch(Input):
    """A change of an installed integration."""

    SHAPES: ClassVar[Shapes] = {"override": INTEGRATION}

    integration_id = Id(metadata={"description": "Can not be changed; the present one is accepted."})
    override = JsonObjectField(
        metadata={
            "component": "IntegrationConfigChange",
            "description": "Laid over the integration's config; sent anew, it is replaced whole.",
        }
    )
    is_enabled = Flag(validate=validate.Equal(True, error="expected true: delete it instead of disabling it"))
    show_in_catalog = Flag()


class NewEnvironmentIntegration(EnvironmentIntegrationPatch):
    """An integration to install."""

    integration_id = Id(required=True)


class EnvironmentIntegration(Warned):
    """An installed integration; secrets in its override are masked."""

    id = Id()
    integration_id = Id()
    override = JsonObjectField(metadata={"component": "IntegrationConfigChange"})
    is_enabled = fields.Boolean()
    show_in_catalog = fields.Boolean()
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


EnvironmentIntegrationQuery = narrowed(
    SortedListing,
    "EnvironmentIntegrationQuery",
    {"integration_id": Id(), "environment_id": Id()},
    times=("created_at", "updated_at"),
    sorts=("updated_at",),
)
