"""Verify a run: count its books anew and tell which equations hold."""

from dataclasses import dataclass
from typing import Protocol

from app.engine.jobs import definition, planning
from app.engine.objects.runs import SyncJobRun
from app.engine.runs import audit
from app.engine.runs.audit import Check, RunRecount
from app.engine.status import RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a run's recount came to."""

    run_id: str
    status: RunStatus
    checks: list[Check]

    @property
    def is_balanced(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)


class Recounts(Protocol):
    """Counts a run anew."""

    def recount(self, run: SyncJobRun) -> RunRecount:
        """Count all of it as of one moment."""


class Verifier:
    """Verifies runs."""

    def __init__(self, recounts: Recounts) -> None:
        self._recounts = recounts

    def verify(self, run: SyncJobRun) -> Verification:
        """Recount a run, live or ended."""
        items, _ = definition.parse_resources(run.resources)
        found = self._recounts.recount(run)
        return Verification(run_id=run.id, status=found.status, checks=audit.audit(found, planning.plan(items)))
