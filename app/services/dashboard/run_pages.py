"""Gather what a run's page shows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.runs import SyncJobRun
from app.engine.times import format_utc
from app.services.dashboard.run_books import ResourceBooks, write_books
from app.services.dashboard.run_command import write_replay
from app.services.dashboard.run_graph import RunGraph, draw_graph
from app.services.dashboard.run_parts import RunParts
from app.services.diagnosis.run_diagnosis import Diagnosis, RunDiagnosis
from app.services.ports import Clock
from app.services.runs.runs import RunService


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """A run, and all that its page says of it."""

    run: SyncJobRun
    diagnosis: Diagnosis
    graph: RunGraph
    books: Sequence[ResourceBooks]
    parts: RunParts
    command: str
    now: datetime
    """When it was gathered; of a run that has ended, its end."""

    @property
    def is_balanced(self) -> bool:
        """Whether no books are out of balance; those of a live run may be for as long as it is under way."""
        return all(books.imbalance is None for books in self.books)

    @property
    def standing_errors(self) -> int:
        """Count the errors that no resume has mended."""
        return sum(books.counters.standing_errors for books in self.books)

    @property
    def unproven(self) -> int:
        """Count the lists whose end is a guess."""
        return sum(books.counters.unproven for books in self.books)


class RunPages:
    """The pages of runs."""

    def __init__(
        self, *, runs: RunService, diagnosis: RunDiagnosis, read_parts: Callable[..., RunParts], clock: Clock
    ) -> None:
        self._runs = runs
        self._diagnosis = diagnosis
        self._read_parts = read_parts
        self._clock = clock

    def find(self, environment_id: EnvironmentId, run_id: str) -> SyncJobRun:
        """Read a run; raise NotFoundError."""
        return self._runs.get(environment_id, run_id)

    def gather(self, run: SyncJobRun) -> RunPage:
        """Gather the page of a run that was read just now."""
        diagnosis = self._diagnosis.explain_run(run)
        graph = draw_graph(run)
        return RunPage(
            run=run,
            diagnosis=diagnosis,
            graph=graph,
            books=write_books(run, graph),
            parts=self._read_parts(run.id, has_webhook=run.webhook_id is not None),
            command=write_replay(run),
            now=run.finished_at or self._clock.now(),
        )

    def name_version(self, run: SyncJobRun) -> str:
        """Return what changes whenever the page of a run does; that of a live one always does."""
        if not run.status.is_final:
            return format_utc(self._clock.now())
        return f"{format_utc(run.updated_at)} {run.resource_stats}"
