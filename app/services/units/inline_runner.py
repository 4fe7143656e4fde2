"""Carry a run out in this process alone: no message is sent, its units are looked for in Postgres."""

from collections.abc import Callable, Sequence
from typing import Protocol

from app.engine.status import RunStatus

_PAUSE_SECONDS = 0.1


class OwnRuns(Protocol):
    """Knows what is left of a run."""

    def status(self, run_id: str) -> RunStatus | None:
        """Return where a run stands; None when it is gone."""

    def due_units(self, run_id: str) -> Sequence[str]:
        """List the units of a run that can be worked on now."""


class Worker(Protocol):
    """Works on units."""

    def work(self, unit_id: str) -> object:
        """Work on a unit for one slice; a unit that is taken costs one query."""


class Life(Protocol):
    """Moves runs."""

    def mark_running(self, run_id: str, *, daemon_id: str) -> bool:
        """Take a run up; False when it was, or waits for another one's mutex."""

    def start(self, run_id: str) -> object:
        """Write a running run's first units."""

    def settle(self, run_id: str) -> None:
        """End what is done."""


class InlineRunner:
    """Does for one run what daemons do for all."""

    def __init__(self, *, runs: OwnRuns, worker: Worker, life: Life, pause: Callable[[float], None], name: str) -> None:
        """``name`` is shown as the daemon of the runs."""
        self._runs = runs
        self._worker = worker
        self._life = life
        self._pause = pause
        self._name = name

    def run(self, run_id: str, *, on_start: Callable[[], None] = lambda: None) -> None:
        """Carry a created run out to its end; ``on_start`` happens when it is taken up, before it begins."""
        while not self._life.mark_running(run_id, daemon_id=self._name):
            if self._is_over(run_id):
                return
            self._pause(_PAUSE_SECONDS)
        on_start()
        self._life.start(run_id)
        self._life.settle(run_id)
        while not self._is_over(run_id):
            units = self._runs.due_units(run_id)
            for unit_id in units:
                self._worker.work(unit_id)
            self._life.settle(run_id)
            if not units:
                self._pause(_PAUSE_SECONDS)

    def _is_over(self, run_id: str) -> bool:
        status = self._runs.status(run_id)
        return status is None or status.is_final
