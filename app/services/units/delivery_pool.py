"""Deliveries under way: the event loop waits for receivers, and a few threads handle what they have answered.

However many receivers hang, none of them holds a thread. Nobody fills the process either: an environment gets as many
places as it leaves free to others, and a webhook as many as it leaves free to the others of its environment. So a
newcomer still finds one.
"""

import heapq
import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Final, TypeAlias

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.webhooks import Webhook
from app.engine.runs.work import WakeUp
from app.services.ports import Dispatcher, SendEvent

logger = logging.getLogger(__name__)

MOST_UNDER_WAY: Final = 128
"""Each holds a connection and its event's body."""
_THREADS: Final = 4

Answer: TypeAlias = Future[int]
Then: TypeAlias = Callable[[Answer], object]
_Key: TypeAlias = tuple[EnvironmentId, str]


class Place:
    """Room for one delivery, from before it is sent until it is answered."""

    def __init__(self, pool: "DeliveryPool", webhook: Webhook) -> None:
        self._pool = pool
        self._webhook = webhook
        self._answer: Answer | None = None
        self._is_cancelled = False

    @property
    def key(self) -> _Key:
        """The environment and the webhook that it is counted for."""
        return (self._webhook.environment_id, self._webhook.id)

    def send(self, event_id: str, body: bytes, then: Then) -> Answer | None:
        """Send an event by the event loop; another thread calls ``then`` with the answer, which may be cancelled.

        An answer that is there already is returned instead.
        """
        try:
            answer = self._answer = self._pool.send(self._webhook, event_id, body)
        except BaseException:
            self._pool.leave(self)
            raise
        if self._is_cancelled:
            answer.cancel()
        if answer.done():
            self._pool.leave(self)
            return answer
        answer.add_done_callback(lambda done: self._pool.submit(self, partial(then, done)))
        return None

    def cancel(self) -> None:
        """Wait for the receiver no longer."""
        self._is_cancelled = True
        if self._answer is not None:
            self._answer.cancel()


class DeliveryPool:
    """The deliveries of one process that are under way."""

    def __init__(self, send: SendEvent, dispatcher: Dispatcher, *, most: int = MOST_UNDER_WAY) -> None:
        self.send = send
        self._dispatcher = dispatcher
        self._most = most
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ferryman-deliveries")
        self._timers = _Timers()
        self._changed = threading.Condition()
        self._places: set[Place] = set()
        self._busy = 0
        """Answers that a thread handles, and slices that wait for more."""
        self._of_environment: Counter[EnvironmentId] = Counter()
        self._of_webhook: Counter[_Key] = Counter()
        self._waiting: dict[_Key, dict[str, WakeUp]] = {}
        """The units that found no room, by environment and webhook, in the order of their turns; each by its id."""

    @property
    def under_way(self) -> int:
        """How many deliveries wait for their receivers."""
        return len(self._places)

    def reserve(self, webhook: Webhook) -> Place | None:
        """Take a place for a delivery to a webhook; None when it has its share of them."""
        place = Place(self, webhook)
        with self._changed:
            if not self._has_room(place.key):
                return None
            self._places.add(place)
            self._of_environment[webhook.environment_id] += 1
            self._of_webhook[place.key] += 1
        return place

    def wait(self, webhook: Webhook, wake_up: WakeUp) -> None:
        """Dispatch a unit that found no room once there is some."""
        with self._changed:
            self._waiting.setdefault((webhook.environment_id, webhook.id), {})[wake_up.unit_id] = wake_up
            # All that were under way may have been answered meanwhile: then nothing else would dispatch it.
            following = self._next_waiting()
        self._dispatch(following)

    def leave(self, place: Place) -> None:
        """Release a place, and dispatch the unit that may take it."""
        with self._changed:
            self._places.discard(place)
            environment_id, _ = place.key
            self._of_environment -= Counter({environment_id: 1})
            self._of_webhook -= Counter({place.key: 1})
            following = self._next_waiting()
            self._changed.notify_all()
        self._dispatch(following)

    def submit(self, place: Place, act: Callable[[], object]) -> None:
        """Run what follows an answer in a thread; called on the event loop, which must not wait."""
        with self._changed:
            self._busy += 1
        self._threads.submit(self._do, partial(self._leave_and, place, act))

    def submit_later(self, seconds: float, act: Callable[[], object]) -> None:
        """Run a function in a thread after a delay; ``join`` waits for it too."""
        with self._changed:
            self._busy += 1
        self._timers.after(seconds, lambda: self._threads.submit(self._do, act))

    def stop_within(self, seconds: float) -> None:
        """Wait for receivers for so long at most from now on, and leave those that have not answered by then."""
        timer = threading.Timer(seconds, self._cancel_all)
        timer.daemon = True
        timer.start()

    def join(self, seconds: float) -> bool:
        """Wait for so long until nothing is under way and no thread busy; return whether that came true."""
        deadline = time.monotonic() + seconds
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._places and not self._busy, timeout=max(0.0, deadline - time.monotonic())
            )

    def _leave_and(self, place: Place, act: Callable[[], object]) -> None:
        self.leave(place)
        act()

    def _do(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception:
            # Its lease ends, and another daemon claims it.
            logger.exception("an answer to a delivery could not be handled")
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _cancel_all(self) -> None:
        with self._changed:
            places = list(self._places)
        for place in places:
            place.cancel()

    def _dispatch(self, following: WakeUp | None) -> None:
        """Dispatch a unit that waits; should this break, its caller continues, and the sweeper does it later."""
        if following is None:
            return
        try:
            self._dispatcher.dispatch([following])
        except Exception:
            logger.exception("a unit that waits for room could not be dispatched", extra={"run_id": following.run_id})

    def _has_room(self, key: _Key) -> bool:
        environment_id, _ = key
        left_to_others = self._most - len(self._places) - self._of_environment[environment_id]
        return self._of_webhook[key] < left_to_others

    def _next_waiting(self) -> WakeUp | None:
        """Choose the first unit that has room; its webhook's others wait behind those of all other webhooks."""
        key = next((key for key in self._waiting if self._has_room(key)), None)
        if key is None:
            return None
        wake_ups = self._waiting.pop(key)
        wake_up = wake_ups.pop(next(iter(wake_ups)))
        if wake_ups:
            self._waiting[key] = wake_ups
        return wake_up


class _Timers:
    """What is to be done, and when, by one thread that is there while something waits; each thing must be short."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._has_thread = False

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something after so many seconds."""
        with self._changed:
            heapq.heappush(self._waiting, (time.monotonic() + seconds, next(self._numbers), act))
            self._changed.notify()
            if not self._has_thread:
                self._has_thread = True
                threading.Thread(target=self._run, name="ferryman-timers", daemon=True).start()

    def _run(self) -> None:
        while (act := self._next()) is not None:
            act()

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            while self._waiting:
                left = self._waiting[0][0] - time.monotonic()
                if left <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(left)
            self._has_thread = False
            return None
