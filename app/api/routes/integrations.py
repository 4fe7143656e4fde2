"""``/integration``."""

from dataclasses import asdict
from typing import Any

from flask_smorest import Blueprint

from app.api.schemas import catalog as schemas
from app.api.schemas.fields import Deleted, page_of
from app.api.services import environment, services
from app.api.views import created, deleted, filters_of, page, path_id
from app.engine.json_types import JsonObject
from app.engine.objects import Integration
from app.engine.redaction import redacted_config

blueprint = Blueprint(
    "integration", __name__, url_prefix="/integration", description="How third-party APIs are spoken to"
)

_KIND = "integration"


@blueprint.post("")
@blueprint.arguments(schemas.IntegrationInput, error_status_code=400)
@blueprint.response(201, schemas.Integration)
def create_integration(body: JsonObject) -> Any:
    """Create an integration."""
    integration = services().integrations.create(environment(), body)
    return created(_view(integration), integration.id)


@blueprint.get("")
@blueprint.arguments(schemas.IntegrationQuery, location="query", error_status_code=400)
@blueprint.response(200, page_of(schemas.Integration))
def list_integrations(query: JsonObject) -> Any:
    """List integrations, newest first."""
    return page(services().integrations.list(environment(), filters_of(query)), _view)


@blueprint.get("/<integration_id>")
@blueprint.response(200, schemas.Integration)
def get_integration(integration_id: str) -> Any:
    """Show an integration."""
    return _view(services().integrations.get(environment(), path_id(_KIND, integration_id)))


@blueprint.patch("/<integration_id>")
@blueprint.arguments(schemas.IntegrationPatch, error_status_code=400)
@blueprint.response(200, schemas.Integration)
def update_integration(body: JsonObject, integration_id: str) -> Any:
    """Change an integration: its config is merged deeply, and null takes a key away."""
    version = body.pop("version", None)
    changed = services().integrations.update(environment(), path_id(_KIND, integration_id), body, version=version)
    return _view(changed)


@blueprint.delete("/<integration_id>")
@blueprint.response(200, Deleted)
def delete_integration(integration_id: str) -> Any:
    """Remove an integration that no account belongs to."""
    return deleted(services().integrations.delete(environment(), path_id(_KIND, integration_id)))


def _view(integration: Integration) -> JsonObject:
    return {**asdict(integration), "config": redacted_config(integration.config)}
