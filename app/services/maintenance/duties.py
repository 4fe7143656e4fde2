"""What the leader does in the background: duties, each in a thread of its own and apart from all others.

A duty that fails is tried again, later each time, and is shown as failing until a turn of it ends well, and so is one
that hangs. Neither keeps another one waiting. Within a duty, ``DutyRows`` does the same for its rows.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.engine.errors import BrokerUnavailableError, StoreUnavailableError
from app.engine.json_types import JsonObject
from app.engine.limits import retry
from app.engine.times import format_utc
from app.services.ports import Clock

logger = logging.getLogger(__name__)

LONGEST_TURN_SECONDS: Final = 90.0
"""After how long a turn that has not ended is shown as one that hangs."""
_LONGEST_PAUSE_SECONDS: Final = 60.0
_PASSING: Final = (StoreUnavailableError, BrokerUnavailableError)
"""What ends by itself: the duty is tried again at the next look."""


Start: TypeAlias = Callable[[str, Callable[[], None]], None]
"""Begins to do something of a name; need not wait for the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueWork:
    """Which duties have something to do."""

    messages: bool = False
    """The broker has not got a promised message."""
    units: bool = False
    """A timer is due, a lease has expired, or no daemon has claimed a unit."""
    runs: bool = False
    """No daemon has taken up a run."""
    unsettled: bool = False
    """A run has no work left and has not ended."""
    landing: bool = False
    """A run waits for its destinations."""
    triggers: bool = False
    """A cron trigger's time has come."""
    announcements: bool = False
    """An event that belongs to no run can be sent."""


ALL_DUE: Final = DueWork(
    messages=True, units=True, runs=True, unsettled=True, landing=True, triggers=True, announcements=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Something that the leader does again and again.

    A turn has to be idempotent, as its process may die at any moment, and to end within seconds: what is left of a
    large piece of work is for the next turn.
    """

    name: str
    """As ``/healthz`` and the log name it."""
    do: Callable[[], object]
    """Do a turn; return True when there is more to do, which is then done at the next look."""
    every_seconds: float = 0.0
    """How long after the beginning of a turn the next one begins; 0 is at each look."""
    is_due: Callable[[DueWork], bool] | None = None
    """Whether a look has found something to do; None is a duty that looks for itself."""


def start_thread(name: str, act: Callable[[], None]) -> None:
    """Run a function in a thread that does not keep the process from ending."""
    threading.Thread(target=act, name=f"ferryman-{name}", daemon=True).start()


def start_here(name: str, act: Callable[[], None]) -> None:
    """Run a function at once: for a process whose order of events has to be the same each time."""
    act()


class Duties:
    """The duties of the leader."""

    def __init__(
        self,
        duties: Sequence[Duty],
        *,
        clock: Clock,
        monotonic: Callable[[], float],
        start: Start = start_thread,
    ) -> None:
        self._turns = [_Turns(duty, clock, monotonic) for duty in duties]
        self._start = start

    def begin_due(self, due: DueWork) -> None:
        """Begin the turns whose time has come; a duty whose last turn has not ended is left alone."""
        for turns in self._turns:
            turns.begin_if_due(due, self._start)

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until no turn is under way, for so long at most; return whether that came true."""
        until = time.monotonic() + timeout_seconds
        return all(turns.wait(until - time.monotonic()) for turns in self._turns)

    @property
    def faults(self) -> Mapping[str, JsonObject]:
        """What is wrong, by duty: ``{since, failures, error}``, of which the error is a kind: no text of one."""
        found = {turns.duty.name: turns.fault() for turns in self._turns}
        return {name: fault for name, fault in found.items() if fault is not None}


class _Turns:
    """The turns of one duty, of which at most one is under way."""

    def __init__(self, duty: Duty, clock: Clock, monotonic: Callable[[], float]) -> None:
        self.duty = duty
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._began_at: float | None = None
        self._next_at = 0.0
        self._failures = 0
        self._fault: JsonObject | None = None
        self._is_idle = threading.Event()
        self._is_idle.set()

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until the turn that is under way has ended, for so long at most; return whether it has."""
        return self._is_idle.wait(max(0.0, timeout_seconds))

    def begin_if_due(self, due: DueWork, start: Start) -> None:
        """Begin a turn if its time has come."""
        if not self._take(due):
            return
        try:
            start(self.duty.name, self._do)
        except Exception as error:  # There is no thread left: the next look tries again.
            self._note_failure(error)
            self._end()

    def _take(self, due: DueWork) -> bool:
        """Whether a turn is to begin now, which then counts as begun."""
        with self._lock:
            now = self._monotonic()
            if self._began_at is not None or now < self._next_at:
                return False
            # One that has failed finds out by itself whether what it failed by is gone.
            if self.duty.is_due is not None and self._fault is None and not self.duty.is_due(due):
                return False
            self._began_at = now
            self._is_idle.clear()
            self._next_at = now + self.duty.every_seconds
            return True

    def _do(self) -> None:
        try:
            has_more = self.duty.do() is True
        except Exception as error:
            self._note_failure(error)
        else:
            with self._lock:
                self._failures, self._fault = 0, None
                self._next_at = 0.0 if has_more else self._next_at
        finally:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self._began_at = None
            self._is_idle.set()

    def fault(self) -> JsonObject | None:
        """Return what is wrong with the duty; None when nothing is."""
        with self._lock:
            lasts = 0.0 if self._began_at is None else self._monotonic() - self._began_at
            if lasts >= LONGEST_TURN_SECONDS:
                self._fault = self._build_fault("hangs")
            return self._fault

    def _note_failure(self, error: Exception) -> None:
        kind, is_passing = type(error).__name__, isinstance(error, _PASSING)
        with self._lock:
            is_known = is_passing and self._fault is not None and self._fault["error"] == kind
            self._failures += 1
            if not is_passing:
                pause = retry.compute_backoff(self._failures, 2.0, _LONGEST_PAUSE_SECONDS)
                self._next_at = max(self._next_at, self._monotonic() + pause)
            if not is_known:
                self._fault = self._build_fault(kind)
        if not is_known:
            # What passes is tried each second, and logged once.
            facts = {"duty": self.duty.name, "reason": kind}
            logger.warning("a duty failed", extra=facts, exc_info=None if is_passing else error)

    def _build_fault(self, error: str) -> JsonObject:
        since = self._fault["since"] if self._fault else format_utc(self._clock.now())
        return {"since": since, "failures": self._failures, "error": error}
