"""What other objects embed of integrations and their installations."""

from typing import Final

from marshmallow import Schema, fields

from app.api.schemas.fields import Id, JsonObjectField, Time

INSTALLED: Final = {"description": "The environment that has it, which may use whatever it has."}


class EmbeddedIntegration(Schema):
    """An integration within something else: of its config only what a list of integrations shows."""

    id = Id()
    name = fields.String()
    category = fields.String(allow_none=True)
    is_beta = fields.Boolean()
    sharing = fields.String()
    config = JsonObjectField(metadata={"description": "`label`, `logo`, `icon` and `description`, where it has them."})
    version = fields.Integer()
    installed_environment = fields.List(Id(), metadata=INSTALLED)
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
