"""Send the messages that wait: a duty of the leader, which waits for no receiver.

Each message is sent in a thread of its own, under a lease, within a bounded time, and at most one of a destination at a
time: a receiver that hangs delays its own messages alone. A process that dies leaves its messages to the next one,
which sends them again under the same ids once their leases have ended.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from app import meters
from app.engine.errors import DeliveryError, StoreUnavailableError, UnreadableSecretError
from app.engine.json_types import JsonObject
from app.engine.limits import retry
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.notifications import Notification, NotificationDestination
from app.services.maintenance.duties import Duty, Start
from app.services.maintenance.duty_rows import DutyRows
from app.services.notifications.ports import OutgoingMessages

logger = logging.getLogger(__name__)

MOST_UNDER_WAY: Final = 64
EVERY_SECONDS: Final = 2.0
_MARGIN_SECONDS: Final = 15.0
"""A lease outlives its attempt by so much, to be written down in."""
_FIRST_PAUSE_SECONDS: Final = 5.0
_LONGEST_PAUSE_SECONDS: Final = 1800.0


class NotificationSending:
    """Sends the messages of all destinations."""

    def __init__(
        self,
        *,
        messages: OutgoingMessages,
        find_destination: Callable[[EnvironmentId, str], NotificationDestination | None],
        send: Callable[[NotificationDestination, Notification], JsonObject],
        start: Start,
        timeout_seconds: float,
        patience_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        """``send`` returns what was answered within ``timeout_seconds``, or raises DeliveryError."""
        self._messages = messages
        self._find_destination = find_destination
        self._send = send
        self._start = start
        self._timeout_seconds = timeout_seconds
        self._patience_seconds = patience_seconds
        self._rows = DutyRows("notifying", monotonic=monotonic)
        self._lock = threading.Lock()
        self._under_way = 0

    def build_duties(self) -> Sequence[Duty]:
        """Return the duty."""
        return (Duty(name="notifying", do=self.send_due, every_seconds=EVERY_SECONDS),)

    @property
    def under_way(self) -> int:
        """How many messages are being sent."""
        return self._under_way

    def send_due(self) -> None:
        """Begin to send what is due; each answer is recorded when it comes."""
        room = MOST_UNDER_WAY - self._under_way
        if room <= 0:
            return
        lease, skipped = self._timeout_seconds + _MARGIN_SECONDS, self._rows.list_skipped()
        for row in self._messages.take_due(limit=room, lease_seconds=lease, skipped=skipped):
            id, attempts = str(row["id"]), int(row["attempts"])
            self._rows.handle(id, partial(self._begin, row), report=partial(self._fail, id, attempts))

    def _begin(self, row: Mapping[str, Any]) -> None:
        message = self._messages.read(row)
        try:
            destination = self._find_destination(message.environment_id, message.notification_destination_id)
        except UnreadableSecretError as error:
            self._fail(message.id, message.attempts, f"the config does not decrypt: {error.message}")
            return
        if destination is None:
            return
        with self._lock:
            self._under_way += 1
        try:
            self._start("notification", partial(self._deliver, destination, message))
        except BaseException:
            self._leave()
            raise

    def _deliver(self, destination: NotificationDestination, message: Notification) -> None:
        outcome = "failed"
        try:
            self._send(destination, message)
            outcome = "sent"
            self._messages.record_sent(message.id)
        except DeliveryError as error:
            self._note(partial(self._fail, message.id, message.attempts, error.message, error.retry_after_seconds))
        except StoreUnavailableError:
            logger.warning("that a notification was sent could not be recorded: it is sent again", exc_info=True)
        except Exception as error:
            logger.exception("a notification could not be sent", extra={"notification_id": message.id})
            self._note(partial(self._fail, message.id, message.attempts, f"it broke with {type(error).__name__}"))
        finally:
            meters.NOTIFICATIONS.labels(destination.type.value, outcome).inc()
            self._leave()

    def _fail(self, id: str, attempts: int, error: str, retry_after_seconds: float | None = None) -> None:
        pause = retry.compute_backoff(attempts, _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        self._messages.record_failure(
            id, error, pause_seconds=max(pause, retry_after_seconds or 0.0), patience_seconds=self._patience_seconds
        )

    def _note(self, record: Callable[[], None]) -> None:
        """Record a failure; when even that fails, the lease ends and the message is sent again."""
        try:
            record()
        except Exception:
            logger.warning("the failure of a notification could not be recorded", exc_info=True)

    def _leave(self) -> None:
        with self._lock:
            self._under_way -= 1
