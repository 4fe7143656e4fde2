"""What every slice of work has at hand."""

from collections.abc import Callable
from dataclasses import dataclass

from app.services.ports import Clock, Dispatcher
from app.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """The surroundings of a daemon's slices."""

    clock: Clock
    settings: Settings
    dispatcher: Dispatcher
    is_stopping: Callable[[], bool]
    """Claims that the daemon was told to go: a slice then ends after its page."""
