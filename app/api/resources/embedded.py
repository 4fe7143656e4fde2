"""Views of what other objects embed: integrations, installations, unified models."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from app.api.resources.services import environment, services
from app.api.resources.views import show_plain
from app.engine.config.secrets import redact_config
from app.engine.integrations.embedding import EmbeddedIntegration, Embeddings
from app.engine.json_types import JsonObject
from app.engine.objects.integrations import EnvironmentIntegration
from app.engine.objects.unified import UnifiedModel


def read_embeddings(items: Iterable[Any]) -> Embeddings:
    """Read together what is embedded in objects that have an ``integration_id``."""
    return services().reading.embeddings(environment(), {item.integration_id for item in items})


def show_integration(integration: EmbeddedIntegration) -> JsonObject:
    """Show an integration within something else."""
    return {**asdict(integration), "installed_environment": [integration.environment_id]}


def show_installation(installed: EnvironmentIntegration) -> JsonObject:
    """Show an installed integration, its secrets masked."""
    return {**asdict(installed), "is_enabled": True, "override": redact_config(installed.override)}


def show_model(model: UnifiedModel) -> JsonObject:
    """Show a unified model with the environment that may use it."""
    return {**show_plain(model), "installed_environment": [model.environment_id]}
