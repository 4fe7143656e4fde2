"""Integrations, their installations in environments, and what other objects embed of both."""

from typing import ClassVar, Final

from marshmallow import Schema, fields, validate

from app.api.schemas.fields import (
    NO_TEAMS,
    OWN_ENVIRONMENT,
    SEEN_VERSION,
    SHARING,
    SLUG,
    UNCHANGEABLE,
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
from app.api.schemas.save_warnings import Warned
from app.engine.known_keys.of_integrations import INTEGRATION

_CONFIG: Final = {"component": "IntegrationConfig"}


class EmbeddedIntegration(Schema):
    """An integration within something else: of its config only what a list of integrations shows."""

    id = Id()
    name = fields.String()
    category = fields.String(allow_none=True)
    is_beta = fields.Boolean()
    sharing = fields.String()
    config = JsonObjectField(metadata={"description": "`label`, `logo`, `icon` and `description`, where it has them."})
    version = fields.Integer()
    installed_environment = fields.List(Id(), metadata=OWN_ENVIRONMENT)
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


class EmbeddedInstallation(Schema):
    """What an environment lays over an integration; secrets in its override are masked."""

    id = Id()
    integration_id = Id()
    override = JsonObjectField(metadata={"component": "IntegrationConfigChange"})
    is_enabled = fields.Boolean()
    show_in_catalog = fields.Boolean()
    environment_id = Id()
    created_at = Time()
    updated_at = Time()


class _IntegrationFields(Input):
    SHAPES: ClassVar[Shapes] = {"config": INTEGRATION}
    NOT_SERVED: ClassVar[Reasons] = dict.fromkeys(("team_id", "team", "can_install"), NO_TEAMS)

    category = fields.String(allow_none=True)
    is_beta = Flag()
    sharing = fields.String(validate=SHARING)


class NewIntegration(_IntegrationFields):
    """An integration to create."""

    name = fields.String(required=True, validate=SLUG)
    config = fields.Raw(required=True, metadata=_CONFIG)


class IntegrationPatch(_IntegrationFields):
    """A change of an integration; its config is merged deeply, and null takes a key away."""

    name = fields.String(validate=SLUG, metadata=UNCHANGEABLE)
    config = fields.Raw(metadata={"component": "IntegrationConfigChange"})
    version = Whole(metadata=SEEN_VERSION)


class Integration(EmbeddedIntegration, Warned):
    """An integration; secrets in its config are masked."""

    config = JsonObjectField(metadata=_CONFIG)


IntegrationQuery = make_list_query(
    "IntegrationQuery",
    {"name": fields.String(), "sharing": fields.String(), "environment_id": Id()},
    sorts=("updated_at", "name"),
)


class EnvironmentIntegrationPatch(Input):
    """A change of an installed integration."""

    SHAPES: ClassVar[Shapes] = {"override": INTEGRATION}

    integration_id = Id(metadata=UNCHANGEABLE)
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


EnvironmentIntegrationQuery = make_list_query(
    "EnvironmentIntegrationQuery", {"integration_id": Id(), "environment_id": Id()}, sorts=("updated_at",)
)
