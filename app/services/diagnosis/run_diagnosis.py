"""Explain what a run waits for, and how fast its upstream answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.runs import RunError, SyncJobRun
from app.engine.status import RunStatus
from app.services.diagnosis import paces, waits
from app.services.diagnosis.paces import ResourcePace
from app.services.diagnosis.run_facts import RunFacts
from app.services.diagnosis.run_reason import count_errors, write_reason
from app.services.diagnosis.waits import Wait
from app.services.ports import Clock
from app.services.runs.runs import RunService


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What a run waits for, the most important first, and the pace of its resources."""

    id: str
    status: RunStatus
    reason: str
    """In one sentence."""
    waits: Sequence[Wait]
    resources: Sequence[ResourcePace]
    seconds: float | None
    """How long it has taken, or took."""
    usual_seconds: float | None
    """The median of its last runs for the account that completed."""
    is_slow: bool
    """It takes five times as long as usual, or longer."""


class RunDiagnosis:
    """Explains why runs do not progress."""

    def __init__(
        self,
        *,
        runs: RunService,
        read_facts: Callable[[SyncJobRun], RunFacts],
        is_broker_reachable: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._read_facts = read_facts
        self._is_broker_reachable = is_broker_reachable
        self._clock = clock

    def explain(self, environment_id: EnvironmentId, run_id: str) -> Diagnosis:
        """Return what a run waits for; raise NotFoundError."""
        return self.explain_run(self._runs.get(environment_id, run_id))

    def explain_run(self, run: SyncJobRun) -> Diagnosis:
        """Return what a run waits for that was read just now."""
        facts, now = self._read_facts(run), self._clock.now()
        resources = [paces.measure_pace(resource, now) for resource in facts.resources]
        seconds = _seconds(run, now)
        found = waits.find_waits(run, facts, now, is_broker_reachable=self._is_broker_reachable)
        if not run.status.is_final:
            found += [wait for resource in resources if (wait := waits.find_upstream_wait(resource))]
        is_slow = paces.is_slow_run(seconds, facts.usual_seconds)
        return Diagnosis(
            id=run.id,
            status=run.status,
            reason=write_reason(
                run,
                found,
                slower_than=facts.usual_seconds if is_slow else None,
                first_error=self._find_first_error(run),
            ),
            waits=found,
            resources=resources,
            seconds=seconds,
            usual_seconds=facts.usual_seconds,
            is_slow=is_slow,
        )

    def _find_first_error(self, run: SyncJobRun) -> RunError | None:
        """Return the first error of a run that ended in spite of its errors."""
        if not run.status.is_final or run.error or not count_errors(run):
            return None
        page = self._runs.list_errors(run.environment_id, run.id, limit=1, cursor=None)
        return next(iter(page.result), None)


def _seconds(run: SyncJobRun, now: datetime) -> float | None:
    return None if run.started_at is None else ((run.finished_at or now) - run.started_at).total_seconds()
