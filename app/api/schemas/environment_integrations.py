"""Installed integrations."""

from typing import ClassVar

from marshmallow import fields, validate

from app.api.schemas.embedded import EmbeddedInstallation, EmbeddedIntegration
from app.api.schemas.fields import Flag, Id, Input, JsonObjectField, Shapes, SortedListing, narrowed
from app.api.schemas.warned import Warned
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


class EnvironmentIntegration(EmbeddedInstallation, Warned):
    """An installed integration; secrets in its override are masked."""

    integration = fields.Nested(EmbeddedIntegration)


EnvironmentIntegrationQuery = narrowed(
    SortedListing,
    "EnvironmentIntegrationQuery",
    {"integration_id": Id(), "environment_id": Id()},
    times=("created_at", "updated_at"),
    sorts=("updated_at",),
)
