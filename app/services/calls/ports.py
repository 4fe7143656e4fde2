"""What direct calls need from outside."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Window:
    """What is counted under one key, right after requests were taken."""

    used: int
    """Taken by all processes; more than the limit once it is used up."""
    left_seconds: float


class RequestCounts(Protocol):
    """Counts requests where all processes see it."""

    def take(self, requests: Mapping[str, int]) -> Mapping[str, Window]:
        """Take requests of each key's window, which the first of them begins, in one round trip; never raises."""
