"""What every slice of work has at hand."""

from collections.abc import Callable
from dataclasses import dataclass

from app.services.ports import Bell, Clock
from app.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """The surroundings of a daemon's slices."""

    clock: Clock
    settings: Settings
    bell: Bell
    is_stopping: Callable[[], bool]
    """Claims that the daemon was told to go: a slice then ends after its page."""
