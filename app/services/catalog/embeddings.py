"""Reads what is embedded in accounts and installations."""

from collections.abc import Collection
from typing import Protocol

from app.engine.integrations.embedding import Embeddings
from app.engine.objects.environments import EnvironmentId


class EmbeddingReader(Protocol):
    """Reads integrations as they are shown within other objects."""

    def of(self, environment_id: EnvironmentId, integration_ids: Collection[str]) -> Embeddings:
        """Read integrations of an environment, each with its installation; one that is not there is left out."""
