"""What the services of schemas need of the store."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from app.engine.objects.environments import EnvironmentId
from app.engine.schemas.columns import ColumnType, ResourceSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlearnedLog:
    """An account whose log holds changes that nothing was learned from yet."""

    account_id: str
    environment_id: EnvironmentId
    integration_name: str
    learned_through: int
    last_sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenValues:
    """What was seen of the values of one resource."""

    types: Mapping[str, Collection[ColumnType]]
    """By key."""
    unread: Collection[str] = ()
    """The keys with texts that the column which was declared for them does not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStretch:
    """What was seen of the records of a stretch of a log."""

    resources: Mapping[str, SeenValues]
    through: int
    """The stretch's last number."""
    rows: int
    is_last: bool
    """Whether there was no more of the log."""


class WrittenValues(Protocol):
    """Reads accounts' logs, and keeps how far each was learned from."""

    def list_unlearned(self, *, skipped: Sequence[str], limit: int) -> Sequence[UnlearnedLog]:
        """List some of them, those with the least to learn first, and also the one with the most."""

    def read(self, log: UnlearnedLog, schemas: Sequence[ResourceSchema], *, limit: int) -> LogStretch:
        """Return what the next records of a log hold; ``schemas`` are what is known of them."""

    def move_on(self, account_id: str, through: int) -> None:
        """Record that an account's log was learned from up to a number; it never goes back."""


ListOutdated: TypeAlias = Callable[..., Sequence[str]]
"""Takes ``skipped`` and ``limit``; returns the ids of schemas whose view does not show all of their columns."""
