"""Wait until children are ready, as long as they work, and report meanwhile.

A starting process computes, reads from a disk, or waits for a core, which on a busy machine takes minutes. A sleeping
one may wait for ever: only that time counts against its limit.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from app.stack.child import Child
from app.stack.errors import StackError
from app.stack.processes import is_working

_LOOK_SECONDS: Final = 0.5
_LONGEST_STEP_SECONDS: Final = 2.0
"""The waiting process may be delayed too: more time than this between two checks does not count."""
_REPORT_SECONDS: Final = 10.0


class Waiting:
    """The wait for one child, beside which ``starting`` ones start."""

    def __init__(
        self,
        child: Child,
        starting: Sequence[Child],
        *,
        report: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._child = child
        self._starting = starting
        self._report = report
        self._monotonic = monotonic
        self._began = self._looked = monotonic()
        self._reported_at = self._began
        self._idle_seconds = 0.0

    def go_on(self) -> None:
        """Check the child; raise StackError when it has ended, or was idle for too long."""
        child = self._child
        if child.failure is not None:
            raise StackError(f"{child.spec.name} {child.failure}: {self._reason(2)} (all of it in {child.log})")
        now = self._monotonic()
        if now - self._looked < min(_LOOK_SECONDS, child.spec.ready_seconds / 4):
            return
        step, self._looked = min(now - self._looked, _LONGEST_STEP_SECONDS), now
        if not is_working({pid for one in self._starting if (pid := one.pid) is not None}):
            self._idle_seconds += step
        if self._idle_seconds > child.spec.ready_seconds:
            raise StackError(
                f"{child.spec.name} was not ready, and did nothing for {child.spec.ready_seconds:g} of "
                f"{now - self._began:.0f} s: {self._reason(2)} (all of it in {child.log})"
            )
        if now - self._reported_at >= _REPORT_SECONDS:
            self._reported_at = now
            self._report(
                f"waiting for {child.spec.name}: {now - self._began:.0f} s so far, of which it was idle for "
                f"{self._idle_seconds:.0f} s of the {child.spec.ready_seconds:g} s that it may be; {self._reason(1)}"
            )

    def _reason(self, lines: int) -> str:
        return " | ".join(self._child.read_last_lines(lines)) or "it wrote no log"
