"""Integrated accounts, and the erasure of what is held of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.paths import Path
from app.engine.status import AccountStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegratedAccount:
    """One customer's account at a third party; ``context`` holds the credentials."""

    id: str
    environment_id: EnvironmentId
    integration_id: str
    integration_name: str
    tenant_id: str
    authentication_method: str
    status: str = AccountStatus.ACTIVE
    """One of ``AccountStatus``."""
    last_error: str | None = None
    """Why it needs to be reconnected."""
    last_forbidden_error: JsonObject | None = None
    """``{resource, method, missing_scopes, occurred_at}`` of the last call that was answered 403."""
    context: JsonObject = field(repr=False)
    origins: frozenset[str] | None = None
    """Those that its secrets were entered for; None until that is noted."""
    plain_paths: frozenset[Path] | None = None
    """What of its context was declared to be no secret when it was entered; None: entered before that was kept."""
    unified_model_override: JsonObject = field(default_factory=dict)
    """``{model: {resource: {method: mapping}}}``, laid over the mappings of its integration."""
    integration_override: JsonObject = field(default_factory=dict, repr=False)
    """Laid over its integration's config, and over what its environment lays over that; may hold secrets."""
    override_origins: Sequence[str] | None = None
    """The hosts that the secrets of this override were entered for."""
    unreadable: frozenset[str] = frozenset()
    """Which of context and integration_override do not decrypt, and are empty here."""
    created_at: datetime
    updated_at: datetime

    @property
    def is_refused(self) -> bool:
        """Whether it has to be reconnected, as far as is known."""
        return self.status == "needs_reauth"


class ErasureStatus(StrEnum):
    """How far an erasure is."""

    WAITING = "waiting"
    """It has not begun; the deletion of an account can be undone."""
    ERASING = "erasing"
    ERASED = "erased"
    """Nothing is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What is to be erased, and how much of it is."""

    id: str
    environment_id: EnvironmentId
    integrated_account_id: str
    resource: str | None
    """None: the whole account."""
    status: ErasureStatus
    due_at: datetime
    """When it begins."""
    erased: Mapping[str, int]
    """How many rows of each kind so far."""
    last_error: str | None
    """Why it does not continue."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
