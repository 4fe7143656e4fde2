"""One supervised child process: start, stop, and the end of its whole process group."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals

from app.stack import leash
from app.stack.logs import bound_log, read_last_lines
from app.stack.processes import record_process, signal_group


def is_always_ready(_pid: int) -> bool:
    """Whether a child needs no check beyond being alive."""
    return True


def prepare_nothing() -> None:
    """Do nothing before a child starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """A command, and how to check that it works."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    working_dir: Path
    run_as: tuple[int, int] | None = None
    """User and group id to drop to; None stays the same."""
    inherited_fds: tuple[int, ...] = ()
    prepare: Callable[[], None] = prepare_nothing
    """Removes what a dead predecessor left; called before every start."""
    is_ready: Callable[[int], bool] = is_always_ready
    """Called with the process id until it returns True."""
    ready_seconds: float = 60.0
    """How long it may be idle before it is ready; while it works it has more time."""
    stop_signals: tuple[Signals, ...] = (SIGTERM,)
    """Sent one after another, each ``stop_seconds`` after the last, before SIGKILL."""
    stop_seconds: float = 15.0
    death_signal: Signals = SIGKILL
    """The signal for it when the supervisor itself is killed."""


class Child:
    """A process of a spec, through all its restarts; the supervisor's thread starts and reaps it."""

    def __init__(self, spec: ChildSpec, *, log: Path, pid_file: Path) -> None:
        self.spec = spec
        self.log = log
        self.restarts = 0
        self.next_start = 0.0
        self.started_at = 0.0
        self.was_ready = False
        self.failure: str | None = None
        """How its last process ended, or why it could not start; None once it is started again."""
        self._pid_file = pid_file
        self._log_offset = 0
        self._process: subprocess.Popen[bytes] | None = None
        # Between a signal and the reaping of the same pid, so that no other process gets the signal.
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The process id now; None between a death and the next start."""
        return self._process.pid if self._process else None

    @property
    def is_alive(self) -> bool:
        """Whether the process runs: started, and not ended since."""
        with self._lock:
            return self._process is not None and not self._has_exited()

    def is_ready(self) -> bool:
        """Whether the process runs and works."""
        pid = self.pid
        return pid is not None and self.is_alive and self.spec.is_ready(pid)

    def is_due(self, now: float) -> bool:
        """Whether it should be started: new, or dead for long enough after it once worked."""
        if self.pid is not None:
            return False
        return self.failure is None or (self.was_ready and now >= self.next_start)

    def start(self) -> None:
        """Start the process in a session of its own, tied to this one (leash.py); raises OSError."""
        self.spec.prepare()
        bound_log(self.log)
        user = "-" if self.spec.run_as is None else "{}:{}".format(*self.spec.run_as)
        leashed = [sys.executable, "-I", "-S", leash.__file__, str(int(self.spec.death_signal)), str(os.getpid()), user]
        with self.log.open("ab") as output:
            self._log_offset = output.tell()
            self._process = subprocess.Popen(  # noqa: S603  # a fixed command, no shell
                [*leashed, *self.spec.command],
                env=dict(self.spec.environment),
                cwd=self.spec.working_dir,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=self.spec.inherited_fds,
                start_new_session=True,
            )
        self.started_at = time.monotonic()
        self.failure = None
        record_process(self._pid_file, self._process.pid, self.spec.stop_signals[0])

    def reap(self) -> bool:
        """Reap a process that has ended, and kill the rest of its group; return whether it had ended."""
        with self._lock:
            if self._process is None or not self._has_exited():
                return False
            self._finish(self._process)
            return True

    def kill(self) -> None:
        """Kill the process and its group now; the supervisor starts it again unless it is stopping."""
        self.send(SIGKILL)

    def restart(self) -> None:
        """Ask the process to stop; the supervisor starts it again."""
        self.send(self.spec.stop_signals[0])

    def send(self, number: Signals) -> None:
        """Send a signal: SIGKILL to the whole group, any other to the process alone."""
        with self._lock:
            if self._process is None or self._has_exited():
                return
            if number == SIGKILL:
                signal_group(self._process.pid, number)
            else:
                os.kill(self._process.pid, number)

    def end(self) -> None:
        """Kill and reap whatever is left."""
        self.kill()
        with self._lock:
            if self._process is not None:
                self._finish(self._process)

    def read_last_lines(self, count: int = 5) -> list[str]:
        """Return the last lines that the latest process wrote."""
        return read_last_lines(self.log, since=self._log_offset, count=count)

    def _has_exited(self) -> bool:
        # WNOWAIT leaves a zombie, which keeps the pid from being given to another process.
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return self._process is not None and os.waitid(os.P_PID, self._process.pid, options) is not None

    def _finish(self, process: subprocess.Popen[bytes]) -> None:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        signal_group(process.pid, SIGKILL)
        self.failure = _describe_exit(process.wait())
        self._pid_file.unlink(missing_ok=True)
        self._process = None


def _describe_exit(code: int) -> str:
    return f"ended by {Signals(-code).name}" if code < 0 else f"exited with status {code}"
