"""The erasure of what is held: of a deleted account with all that belongs to it, or of one resource's records."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.engine.objects.objects import EnvironmentId


class ErasureStatus(StrEnum):
    """How far an erasure is."""

    WAITING = "waiting"
    """It has not begun; the deletion of an account can be undone."""
    ERASING = "erasing"
    ERASED = "erased"
    """Nothing is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What is to be erased, and how much of it was."""

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
    """Why it does not go on."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
