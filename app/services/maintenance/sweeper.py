"""Repair what lost messages leave: publish what was promised, dispatch again, settle. Each is a duty of the leader.

The leader looks by one cheap question whether anything is due, and acts only where something is. Every duty is
idempotent and works in small batches, so that a leader that dies in between leaves nothing half-done.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from app import meters
from app.engine.errors import StoreUnavailableError
from app.engine.json_types import JsonObject
from app.engine.runs.work import WakeUp
from app.services.maintenance.duties import ALL_DUE, DueWork, Duties, Duty
from app.services.maintenance.duty_rows import DutyRows
from app.services.maintenance.ports import DueRows, LostBefore
from app.services.ports import Dispatcher, QueueState
from app.services.runs.lifecycle import RunLifecycle
from app.settings import Settings

_MARGIN: Final = timedelta(seconds=10)
"""How far the clocks of daemons and of Postgres may differ, and how long a message may take to the broker."""
_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class QueueHeads:
    """What is known of how far queues have come."""

    def __init__(
        self,
        look_at: Callable[[Sequence[str]], Mapping[str, QueueState]],
        *,
        settle_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        """``settle_seconds``: how long a daemon may hold a message before it comes to it."""
        self._look_at = look_at
        self._settle_seconds = settle_seconds
        self._monotonic = monotonic
        self._seen: dict[str, list[tuple[float, datetime]]] = {}
        """What was taken next, and when that was seen."""
        self._passed: dict[str, datetime] = {}
        """What was taken next so long ago that its daemon has come to it."""

    def find_lost(self, queues: Sequence[str]) -> Mapping[str, LostBefore]:
        """Look at queues; raise BrokerUnavailableError, when nothing can be dispatched anyway."""
        found = self._look_at(queues) if queues else {}
        return {queue: self._judge(queue, state) for queue, state in found.items()}

    def _judge(self, queue: str, state: QueueState) -> LostBefore:
        if state.is_empty or not state.is_timed:
            return LostBefore(at=_EVER, is_empty=state.is_empty)
        now, seen = self._monotonic(), self._seen.setdefault(queue, [])
        if state.next_sent_at is not None:
            seen.append((now, state.next_sent_at))
        while seen and seen[0][0] <= now - self._settle_seconds:
            self._passed[queue] = max(self._passed.get(queue, _NEVER), seen.pop(0)[1] - _MARGIN)
        return LostBefore(at=self._passed.get(queue, _NEVER), is_empty=False)


logger = logging.getLogger(__name__)

BATCH = 500
_MOST_BATCHES: Final = 40
"""Of messages in a turn: a queue of tens of thousands that was lost is filled at once."""
_SETTLED: Final = 0.6
"""The part of the time before a message is repeated for which a daemon may hold a message before it comes to it."""

_THOROUGH_EVERY: Final = 5
"""Work whose message was lost has waited for long already: it is looked for at each fifth sweep only."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A unit or a run that waits for a message."""

    id: str
    run_id: str
    send: Callable[[], bool]


class SweepDuties:
    """Finds what waits in vain. A row that breaks its duty is recorded at its run, and dispatched again later."""

    def __init__(
        self,
        *,
        units: DueRows[WakeUp],
        runs: DueRows[tuple[str, str]],
        find_unsettled: Callable[..., Sequence[str]],
        publish_waiting: Callable[..., int],
        lifecycle: RunLifecycle,
        dispatcher: Dispatcher,
        settings: Settings,
        monotonic: Callable[[], float],
    ) -> None:
        """``find_unsettled`` lists started runs without work left that are not settled.

        ``publish_waiting`` publishes promised messages that have waited for long, until a publication returns False.
        """
        self._units = units
        self._runs = runs
        self._find_unsettled = find_unsettled
        self._publish_waiting = publish_waiting
        self._lifecycle = lifecycle
        self._dispatcher = dispatcher
        self._settings = settings
        self._promised = DutyRows("publishing", monotonic=monotonic)
        self._dispatched_units = DutyRows("ringing units", monotonic=monotonic)
        self._dispatched_runs = DutyRows("ringing runs", monotonic=monotonic)
        settle_seconds = settings.ring_after_seconds * _SETTLED
        self._unit_heads = QueueHeads(dispatcher.look_at, settle_seconds=settle_seconds, monotonic=monotonic)
        self._run_heads = QueueHeads(dispatcher.look_at, settle_seconds=settle_seconds, monotonic=monotonic)
        self._unsettled = DutyRows("settling", monotonic=monotonic)
        self._was_missed = False

    def build_duties(self) -> Sequence[Duty]:
        """List what it does, each apart from the others."""
        return (
            Duty(name="publishing", do=self.publish_promised, is_due=lambda due: due.messages),
            Duty(name="ringing units", do=self.dispatch_units, is_due=lambda due: due.units),
            Duty(name="ringing runs", do=self.dispatch_runs, is_due=lambda due: due.runs),
            Duty(name="settling", do=self.settle, is_due=lambda due: due.unsettled),
        )

    def publish_promised(self) -> None:
        """Publish the messages that the broker did not get when they were promised."""

        def publish(id: str, task: str, args: list[str], queue: str) -> bool | None:
            return self._promised.handle(
                id,
                partial(self._dispatcher.publish, task, args, queue=queue),
                report=lambda why: self._record(args[0], why),
            )

        self._publish_waiting(
            publish,
            older_than_seconds=self._settings.publish_timeout_seconds,
            limit=BATCH,
            skipped=self._promised.list_skipped(),
        )

    def dispatch_units(self) -> None:
        """Dispatch the units that no daemon has claimed."""
        seconds = self._settings.ring_after_seconds
        lost = self._unit_heads.find_lost(self._units.find_due_queues(ring_after_seconds=seconds))

        def find(limit: int) -> list[_Waiting]:
            due = self._units.dispatch_due(lost, ring_after_seconds=seconds, limit=limit)
            return [self._waiting(one.run_id, one.unit_id, one.queue) for one in due]

        self._dispatch_batches(self._dispatched_units, find, self._units.redispatch)

    def dispatch_runs(self) -> None:
        """Dispatch the runs that no daemon has taken up."""
        seconds = self._settings.ring_after_seconds
        lost = self._run_heads.find_lost(self._runs.find_due_queues(ring_after_seconds=seconds))

        def find(limit: int) -> list[_Waiting]:
            due = self._runs.dispatch_due(lost, ring_after_seconds=seconds, limit=limit)
            return [self._waiting(id, None, queue) for id, queue in due]

        self._dispatch_batches(self._dispatched_runs, find, self._runs.redispatch)

    def _waiting(self, run_id: str, unit_id: str | None, queue: str) -> _Waiting:
        send = partial(self._dispatcher.dispatch_again, run_id, unit_id, queue=queue)
        return _Waiting(unit_id or run_id, run_id, send)

    def _dispatch_batches(
        self, rows: DutyRows, find: Callable[[int], list[_Waiting]], redispatch: Callable[[Sequence[str]], None]
    ) -> None:
        """Dispatch batch after batch; once the broker takes nothing, the rest is left to the next turn."""
        # One message first where the last ones were not taken: many rows would be marked for nothing.
        for limit in [*([1] if self._was_missed else []), *[BATCH] * _MOST_BATCHES]:
            found = find(limit)
            sent = {one.id: rows.handle(one.id, one.send, report=partial(self._record, one.run_id)) for one in found}
            missed = [id for id, was_taken in sent.items() if was_taken is False]
            meters.REDISPATCHED.inc(len(sent) - len(missed))
            self._was_missed = bool(missed)
            if missed:
                redispatch(missed)
            if missed or len(found) < limit:
                return

    def settle(self) -> None:
        """Settle the runs that have no work left and have not ended."""
        for run_id in self._find_unsettled(limit=BATCH, skipped=self._unsettled.list_skipped()):
            self._unsettled.handle(
                run_id, partial(self._lifecycle.settle, run_id), report=partial(self._record, run_id)
            )

    def _record(self, run_id: str, why: str) -> None:
        self._lifecycle.record_unhandled(run_id, why)


class Sweeper:
    """Checks what is due again and again, and begins the duties that have work."""

    def __init__(self, *, look: Callable[..., DueWork], duties: Duties) -> None:
        self._look = look
        self._duties = duties
        self._sweeps = 0
        self._look_error: str | None = None

    def sweep(self) -> None:
        """Find what is due, and begin it without waiting for its end."""
        self._duties.begin_due(self._find_due())

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until no duty is under way, for so long at most; return whether that came true."""
        return self._duties.wait(timeout_seconds)

    @property
    def faults(self) -> Mapping[str, JsonObject]:
        """What is wrong, by duty."""
        looking: JsonObject = {} if self._look_error is None else {"looking": {"error": self._look_error}}
        return {**looking, **self._duties.faults}

    def _find_due(self) -> DueWork:
        """Find what is due; where that fails, each duty finds out by itself."""
        is_thorough = self._sweeps % _THOROUGH_EVERY == 0
        self._sweeps += 1
        try:
            with meters.SWEEP_SECONDS.time():
                due = self._look(is_thorough=is_thorough)
        except StoreUnavailableError:
            raise
        except Exception as error:
            logger.warning("a look at what is due failed", exc_info=True)
            self._look_error = type(error).__name__
            return ALL_DUE
        self._look_error = None
        return due
