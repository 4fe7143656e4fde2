"""Work on a run in this process alone: no message is sent, its units are looked for in Postgres."""

from collections.abc import Callable, Sequence
from typing import Final

from app.engine.status import RunStatus
from app.services.runs.lifecycle import RunLifecycle
from app.services.units.unit_worker import UnitWorker

_PAUSE_SECONDS: Final = 0.1


class InlineRunner:
    """Does for one run what daemons do for all."""

    def __init__(
        self,
        *,
        read_status: Callable[[str], RunStatus | None],
        list_due_units: Callable[[str], Sequence[str]],
        worker: UnitWorker,
        lifecycle: RunLifecycle,
        pause: Callable[[float], None],
        name: str,
    ) -> None:
        """``read_status`` returns None for a run that is gone; ``name`` is shown as the daemon of the runs."""
        self._read_status = read_status
        self._list_due_units = list_due_units
        self._worker = worker
        self._lifecycle = lifecycle
        self._pause = pause
        self._name = name

    def run(self, run_id: str, *, on_start: Callable[[], None] = lambda: None) -> None:
        """Work on a created run to its end; ``on_start`` happens when it is taken up, before it starts."""
        while not self._lifecycle.mark_running(run_id, daemon_id=self._name):
            if self._is_over(run_id):
                return
            self._pause(_PAUSE_SECONDS)
        on_start()
        self._lifecycle.start(run_id)
        self._lifecycle.settle(run_id)
        while not self._is_over(run_id):
            unit_ids = self._list_due_units(run_id)
            for unit_id in unit_ids:
                self._worker.work(unit_id)
            self._lifecycle.settle(run_id)
            if not unit_ids:
                self._pause(_PAUSE_SECONDS)

    def _is_over(self, run_id: str) -> bool:
        status = self._read_status(run_id)
        return status is None or status.is_final
