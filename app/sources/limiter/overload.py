"""Detect that an upstream is too busy: so many of its latest answers say so that it is no accident."""

from collections import deque
from dataclasses import dataclass, field

from app.engine.limits import constants


@dataclass(slots=True)
class OverloadWatch:
    """The latest answers of one account's upstream in this process."""

    _latest: deque[bool] = field(default_factory=lambda: deque(maxlen=constants.OVERLOAD_REMEMBERED))
    """Whether each said that the upstream is too busy."""

    def record_served(self) -> None:
        """Record an answer that says nothing of it."""
        self._latest.append(False)

    def record_overload(self) -> bool:
        """Record an answer that says that the upstream is too busy; return whether too many of the latest did."""
        self._latest.append(True)
        busy = sum(self._latest)
        return busy >= constants.OVERLOADS and busy > constants.OVERLOAD_SHARE * len(self._latest)

    def clear(self) -> None:
        """Drop the answers to what was sent with a larger window."""
        self._latest.clear()
