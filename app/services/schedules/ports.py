"""What triggers and their scheduler need, each as a role."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.engine.objects.triggers import DueTrigger
from app.services.ports import Announcement
from app.services.runs.requests import RunDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyOccurrence:
    """A due time whose run can be written."""

    due: DueTrigger
    draft: RunDraft
    next_run_at: datetime


class DueTriggers(Protocol):
    """Knows which triggers are due."""

    def due(self, *, limit: int, skipped: Sequence[str]) -> Sequence[DueTrigger]:
        """List triggers whose time has come but for those to be skipped, the longest due first."""

    def begin(self, due: DueTrigger, *, until: datetime | None) -> DueTrigger | None:
        """Postpone a due time until then, or by a minute; None when it was not due any more."""

    def begin_all(self, found: Sequence[DueTrigger]) -> Sequence[DueTrigger]:
        """Postpone due times by a minute; return those that were still due."""

    def fire(self, due: DueTrigger, draft: RunDraft, *, next_run_at: datetime) -> int | None:
        """Write the run and the next due time at once; return the message's id, None when it was not due any more.

        Of any number of callers for one due time, one writes its run.
        """

    def run_due(self, ready: Sequence[ReadyOccurrence]) -> Mapping[str, int] | None:
        """Write the runs of which all is as their drafts suppose, in one transaction; return their messages by trigger.

        None, and nothing is written, when one of them was not due any more.
        """

    def fail(self, due: DueTrigger, error: str, *, next_run_at: datetime | None, announce: Announcement) -> None:
        """Write that a due time made no run, the next one, and the events of ``announce``.

        Does nothing when it was not due any more.
        """
