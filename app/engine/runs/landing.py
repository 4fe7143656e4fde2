"""Where a run's records stand at the destinations that it waits for, and what became of them there."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.engine.json_types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitedDestination:
    """A destination that reads a run's records."""

    id: str
    label: str | None
    cursor: int
    """Up to where the account's log is written there."""
    through: int
    """The number of the run's last change."""
    is_paused: bool
    last_error: str | None

    @property
    def has_landed(self) -> bool:
        """Whether all that the run changed is written there, quarantined, or filtered."""
        return self.cursor >= self.through

    def describe(self) -> str:
        """Say what is left, and why."""
        name = f"destination {self.id}" + (f" ('{self.label}')" if self.label else "")
        left = f"{name}, which has to read {self.through - self.cursor:,} more numbers of the account's log"
        if self.is_paused:
            return f"{left} and is paused"
        return f"{left} and fails: {self.last_error}" if self.last_error else left


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedRecords:
    """What became of a run's records at a destination; the books of one that has landed."""

    destination_id: str
    label: str | None
    through: int
    written: int
    unchanged: int
    """The target held them already."""
    quarantined: int
    filtered: int

    def show(self) -> JsonObject:
        """Return them as a run shows them."""
        return {
            "destination_id": self.destination_id,
            "label": self.label,
            "through": self.through,
            "records": self.written + self.unchanged + self.quarantined + self.filtered,
            "written": self.written,
            "unchanged": self.unchanged,
            "quarantined": self.quarantined,
            "filtered": self.filtered,
        }


def describe_delay(awaited: Sequence[AwaitedDestination], *, limit_seconds: float) -> str:
    """Say for which destinations a run has waited in vain; its records are kept, and land later."""
    behind = "; ".join(one.describe() for one in awaited if not one.has_landed)
    return (
        f"the run has waited {limit_seconds:g} s (FERRYMAN_DESTINATION_WAIT_SECONDS) for its destinations: {behind}. "
        "Its records are kept, and land when the destination goes on; a resume waits again"
    )
