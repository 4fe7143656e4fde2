"""What accounts and installations show of their integration within themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.engine.config import non_secrets
from app.engine.config.secrets import redact_config
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.integrations import EnvironmentIntegration

_SHOWN: Final = ("label", "logo", "icon", "description")
"""What a list of integrations shows; how the API is called is shown at the integration itself."""
READ: Final = (*_SHOWN, non_secrets.KEY)
"""The parts of a config that decide what is shown of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedIntegration:
    """An integration without its settings."""

    id: str
    environment_id: EnvironmentId
    name: str
    category: str | None
    is_beta: bool
    sharing: str
    config: JsonObject
    """Label, logo and the like, its secrets masked."""
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """An integration, and its installation where the environment has one."""

    integration: EmbeddedIntegration
    installed: EnvironmentIntegration | None


Embeddings = Mapping[str, Embedding]
"""By the id of the integration."""


def show_face(config: Mapping[str, JSON]) -> JsonObject:
    """Return what is shown of a config within other objects."""
    shown = redact_config({name: config[name] for name in READ if name in config})
    return {name: shown[name] for name in _SHOWN if isinstance(shown.get(name), str)}
