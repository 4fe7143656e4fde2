"""Gather what a run's page shows, and the command that runs the same again."""

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.runs import SyncJobRun
from app.engine.status import ErrorHandling
from app.engine.times import format_utc
from app.services.dashboard.run_books import ResourceBooks, write_books
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


def write_replay(run: SyncJobRun) -> str:
    """Return the command line that creates a run with the same job, account and args.

    The job is the one that is kept now: of a run with resources of its own, or of a job that was changed since, it may
    do something else.
    """
    words = ["ferryman", "run", "create", run.sync_job_id, run.integrated_account_id]
    if run.args:
        words += ["--args", json.dumps(run.args, ensure_ascii=False)]
    if run.webhook_id is not None:
        words += ["--webhook", run.webhook_id]
    elif run.daemon_group_key is not None:
        words += ["--group", run.daemon_group_key]
    if run.error_handling is not ErrorHandling.IGNORE:
        words += ["--error-handling", run.error_handling.value]
    if run.ignore_previous_run:
        words.append("--ignore-previous-run")
    return shlex.join([*words, "--follow"])
