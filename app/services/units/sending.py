"""Deliveries under way: the event loop waits for receivers, and a few threads go on with what they have answered.

However many receivers hang, none of them holds a thread. Nobody fills the process either: an environment gets as many
places as it leaves free to others, and a webhook as many as it leaves free to the others of its environment. So who
comes last still finds one, and gives the rest back as they end.
"""

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
from app.services.ports import Dispatcher, WebhookSender
from app.services.units.timers import Timers

logger = logging.getLogger(__name__)

MOST_UNDER_WAY: Final = 128
"""Each holds a connection and its event's body."""
_THREADS: Final = 4

Answer: TypeAlias = Future[int]
Then: TypeAlias = Callable[[Answer], object]
_Key: TypeAlias = tuple[EnvironmentId, str]


class Place:
    """Room for one delivery, from before it is handed over until it is answered."""

    def __init__(self, sending: "Sending", webhook: Webhook) -> None:
        self._sending = sending
        self._webhook = webhook
        self._answer: Answer | None = None
        self._is_cancelled = False

    @property
    def key(self) -> _Key:
        """Whose it is."""
        return (self._webhook.environment_id, self._webhook.id)

    def send(self, event_id: str, body: bytes, then: Then) -> Answer | None:
        """Hand an event to the event loop; another thread does ``then`` with the answer, which may be cancelled.

        An answer that is there already is given back instead.
        """
        try:
            answer = self._answer = self._sending.sender.submit(self._webhook, event_id, body)
        except BaseException:
            self._sending.leave(self)
            raise
        if self._is_cancelled:
            answer.cancel()
        if answer.done():
            self._sending.leave(self)
            return answer
        answer.add_done_callback(lambda done: self._sending.go_on(self, partial(then, done)))
        return None

    def cancel(self) -> None:
        """Wait for the receiver no longer."""
        self._is_cancelled = True
        if self._answer is not None:
            self._answer.cancel()


class Sending:
    """The deliveries of one process that are under way."""

    def __init__(self, sender: WebhookSender, dispatcher: Dispatcher, *, most: int = MOST_UNDER_WAY) -> None:
        self.sender = sender
        self._dispatcher = dispatcher
        self._most = most
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ferryman-deliveries")
        self._timers = Timers()
        self._changed = threading.Condition()
        self._places: set[Place] = set()
        self._busy = 0
        """Answers that somebody goes on with, and slices that wait for more."""
        self._of_environment: Counter[EnvironmentId] = Counter()
        self._of_webhook: Counter[_Key] = Counter()
        self._waiting: dict[_Key, dict[str, WakeUp]] = {}
        """The units that found no room, by unit id, in the order in which whose they are has its turn."""

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

    def wait(self, webhook: Webhook, dispatch: WakeUp) -> None:
        """Have a unit that found no room rung once there is some."""
        with self._changed:
            self._waiting.setdefault((webhook.environment_id, webhook.id), {})[dispatch.unit_id] = dispatch
            # All that were under way may have been answered meanwhile: nobody else would ring.
            following = self._next_waiting()
        self._dispatch(following)

    def leave(self, place: Place) -> None:
        """Give a place back, and ring for whoever may have it."""
        with self._changed:
            self._places.discard(place)
            environment_id, _ = place.key
            self._of_environment -= Counter({environment_id: 1})
            self._of_webhook -= Counter({place.key: 1})
            following = self._next_waiting()
            self._changed.notify_all()
        self._dispatch(following)

    def go_on(self, place: Place, act: Callable[[], object]) -> None:
        """Have a thread do what follows an answer; called on the event loop, which must not wait."""
        with self._changed:
            self._busy += 1
        self._threads.submit(self._do, partial(self._leave_and, place, act))

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Have a thread do something in a while, for which ``join`` waits too."""
        with self._changed:
            self._busy += 1
        self._timers.after(seconds, lambda: self._threads.submit(self._do, act))

    def stop_within(self, seconds: float) -> None:
        """Wait for receivers for so long at most from now on, and leave those that have not answered by then."""
        timer = threading.Timer(seconds, self._cancel_all)
        timer.daemon = True
        timer.start()

    def join(self, seconds: float) -> bool:
        """Wait for so long until nothing is under way, and nobody busy with an answer; tell whether that came."""
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
            # Its lease ends, and somebody else takes it up.
            logger.exception("a delivery could not be gone on with")
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
        """Ring for a unit that waits; whoever made room goes on when this breaks, and the sweeper rings later."""
        if following is None:
            return
        try:
            self._dispatcher.dispatch([following])
        except Exception:
            logger.exception("who waits for room could not be rung", extra={"run_id": following.run_id})

    def _has_room(self, key: _Key) -> bool:
        environment_id, _ = key
        left_to_others = self._most - len(self._places) - self._of_environment[environment_id]
        return self._of_webhook[key] < left_to_others

    def _next_waiting(self) -> WakeUp | None:
        """Choose the first who has room, and put it behind all others."""
        key = next((key for key in self._waiting if self._has_room(key)), None)
        if key is None:
            return None
        wake_ups = self._waiting.pop(key)
        dispatch = wake_ups.pop(next(iter(wake_ups)))
        if wake_ups:
            self._waiting[key] = wake_ups
        return dispatch
