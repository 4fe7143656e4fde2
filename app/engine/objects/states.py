"""What is kept from one run to the next (docs/wire.md A5)."""

from dataclasses import dataclass
from datetime import datetime

from app.engine.json_types import JSON
from app.engine.objects.objects import EnvironmentId


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """One value in the namespace of a state key."""

    environment_id: EnvironmentId
    state_key: str
    key: str
    value: JSON
    sync_job_run_id: str | None = None
    """The run that it was written for."""
    created_at: datetime
    updated_at: datetime
