"""Keep children alive: start them in ranks, restart the dead, stop all in reverse order.

One thread forks, watches and reaps: Linux ties a child's life to the thread that
forked it (see leash.py), so the thread must live as long as the children do.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from signal import Signals
from typing import Final

from app.engine.limits import retry
from app.stack.child import Child, ChildSpec
from app.stack.errors import StackError
from app.stack.logs import bound_log
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


_TICK_SECONDS = 0.05
_LOG_CHECK_SECONDS = 60.0
_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 30.0
_STEADY_SECONDS = 60.0
"""A child that lived this long starts again without a growing delay."""


class Supervisor:
    """The parent of every child; ``report`` receives a line for each event that a user should know."""

    def __init__(self, *, run_dir: Path, log_dir: Path, report: Callable[[str], None]) -> None:
        self._run_dir = run_dir
        self._log_dir = log_dir
        self._report = report
        self._ranks: list[list[Child]] = []
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        # Instead of Thread.join, after whose interruption by a signal a thread counts as ended.
        self._ended = threading.Event()
        self._next_log_check = 0.0
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    @property
    def children(self) -> dict[str, Child]:
        """Every child by name."""
        return {child.spec.name: child for rank in list(self._ranks) for child in rank}

    @property
    def _is_started(self) -> bool:
        return self._thread.ident is not None

    def spawn(self, *specs: ChildSpec) -> None:
        """Start children that also stop together; do not wait for them."""
        if not specs:
            return
        self._ranks.append([self._build_child(spec) for spec in specs])
        if not self._is_started:
            self._thread.start()

    def wait_until_ready(self) -> None:
        """Wait for every child spawned so far, while they work; raises StackError when one ends, or only sleeps."""
        starting = [child for child in self.children.values() if not child.was_ready]
        for child in self.children.values():
            waiting = Waiting(child, [one for one in starting if not one.was_ready], report=self._send_report)
            while not child.is_ready():
                waiting.go_on()
                time.sleep(_TICK_SECONDS)
            child.was_ready = True

    def wait_for_signal(self) -> None:
        """Wait until a signal raises KeyboardInterrupt; raises StackError should the supervision itself break."""
        self._ended.wait()
        raise StackError("the supervisor has broken down; its traceback is above")

    def stop(self) -> None:
        """End every child, the last rank first; a KeyboardInterrupt while waiting ends all at once."""
        self._stopping.set()
        while self._is_started and not self._ended.is_set():
            try:
                self._ended.wait()
            except KeyboardInterrupt:
                self._hurry.set()

    def _build_child(self, spec: ChildSpec) -> Child:
        return Child(spec, log=self._log_dir / f"{spec.name}.log", pid_file=self._run_dir / f"{spec.name}.pid")

    def _run(self) -> None:
        try:
            self._keep_alive()
            for rank in reversed(self._ranks):
                self._stop_rank(rank)
        finally:
            self._ended.set()

    def _keep_alive(self) -> None:
        while not self._stopping.wait(_TICK_SECONDS):
            for child in self.children.values():
                self._tend(child)
            self._bound_logs()

    def _tend(self, child: Child) -> None:
        now = time.monotonic()
        if child.reap():
            self._schedule_restart(child, now)
        elif child.is_due(now):
            self._start(child, now)

    def _start(self, child: Child, now: float) -> None:
        try:
            child.start()
        except (OSError, StackError) as error:
            child.failure = f"could not start: {error}"
            self._schedule_restart(child, now)

    def _schedule_restart(self, child: Child, now: float) -> None:
        if now - child.started_at >= _STEADY_SECONDS:
            child.restarts = 0
        delay = retry.compute_backoff(child.restarts + 1, _FIRST_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS)
        child.restarts += 1
        child.next_start = now + delay
        if child.was_ready:
            lines = "".join(f"\n    {line}" for line in child.read_last_lines())
            self._send_report(f"{child.spec.name} {child.failure}; starting it again in {delay:g} s{lines}")

    def _send_report(self, line: str) -> None:
        # A terminal that was closed (which rich answers by SystemExit) must not end this thread, and so every child.
        with suppress(OSError, SystemExit):
            self._report(line)

    def _bound_logs(self) -> None:
        if time.monotonic() < self._next_log_check:
            return
        self._next_log_check = time.monotonic() + _LOG_CHECK_SECONDS
        for child in self.children.values():
            with suppress(OSError):  # a full disk, which this is to relieve
                bound_log(child.log)

    def _stop_rank(self, rank: Sequence[Child]) -> None:
        for attempt in range(max(len(child.spec.stop_signals) for child in rank)):
            for child in rank:
                child.send(_stop_signal(child.spec, attempt))
            self._wait_until_ended(rank)
        for child in rank:
            child.end()

    def _wait_until_ended(self, rank: Sequence[Child]) -> None:
        deadline = time.monotonic() + max(child.spec.stop_seconds for child in rank)
        while any(child.is_alive for child in rank) and time.monotonic() < deadline:
            if self._hurry.wait(_TICK_SECONDS):
                return


def _stop_signal(spec: ChildSpec, attempt: int) -> Signals:
    return spec.stop_signals[min(attempt, len(spec.stop_signals) - 1)]
