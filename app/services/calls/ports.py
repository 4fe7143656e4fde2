"""What direct calls need from outside."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Window:
    """What is counted under one key, right after requests were taken."""

    used: int
    """Taken by all processes; more than the limit once it is used up."""
    left_seconds: float


TakeRequests: TypeAlias = Callable[[Mapping[str, int]], Mapping[str, Window]]
"""Takes requests of each key's window, which the first of them begins, in one round trip; never raises."""
