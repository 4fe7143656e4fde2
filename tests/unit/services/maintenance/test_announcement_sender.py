"""Events of no run are sent without waiting for a receiver, tried again, and given up in the end."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from app.engine.errors import DeliveryError, UnreadableSecretError
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.webhooks import Webhook
from app.engine.runs.work import PendingEvent
from app.engine.status import DeliveryStatus
from app.services.maintenance.announcement_sender import MOST_TAKEN, AnnouncementSender
from app.services.units.delivery_pool import DeliveryPool
from app.services.webhooks.health import WebhookHealth
from app.settings import Settings
from tests.unit.services.service_fakes import PENDING, FakeClock, FakeDispatcher, FakeReceiver, SendAnswer
from tests.unit.services.service_setting import FakeWebhooks
from tests.unit.services.service_tables import ENVIRONMENT, webhook

SETTINGS = Settings(database_url="", broker_url="", encryption_key="", delivery_retention_seconds=60)
CLOCK = FakeClock()


@dataclass
class FakeAnnouncements:
    """Events that wait until they are taken; time stands still, so one that waits for a while is not due again."""

    waiting: list[PendingEvent]
    ends: dict[str, tuple[DeliveryStatus, str | None]] = field(default_factory=dict)
    failed: dict[str, tuple[int | None, str, float]] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)
    leased: dict[str, PendingEvent] = field(default_factory=dict)
    terms: tuple[int, int, float] | None = None

    def take_due(
        self, *, limit: int, most_of_webhook: int, lease_seconds: float
    ) -> Sequence[tuple[EnvironmentId | None, PendingEvent]]:
        self.terms = (limit, most_of_webhook, lease_seconds)
        taken = []
        for event in list(self.waiting):
            under_way = [one for one in self.leased.values() if one.webhook_id == event.webhook_id]
            if len(taken) < limit and len(under_way) < most_of_webhook:
                self.waiting.remove(event)
                self.leased[event.id] = event
                taken.append(event)
        return [(None if event.webhook_id == "gone" else ENVIRONMENT, event) for event in taken]

    def settle(self, event_id: str, end: DeliveryStatus, *, status_code: int | None, error: str | None) -> None:
        self.leased.pop(event_id, None)
        self.ends.setdefault(event_id, (end, error))

    def record_failed_attempt(self, event_id: str, *, status_code: int | None, error: str, wake_seconds: float) -> None:
        self.failed[event_id] = (status_code, error, wake_seconds)
        event = self.leased.pop(event_id)
        self._wait(replace(event, attempts=event.attempts + 1), wake_seconds)

    def release(self, event_id: str, *, wake_seconds: float) -> None:
        self.released.append(event_id)
        self._wait(self.leased.pop(event_id), wake_seconds)

    def _wait(self, event: PendingEvent, wake_seconds: float) -> None:
        if wake_seconds == 0:
            self.waiting.append(event)


class Unreadable(FakeWebhooks):
    """Webhooks of which the secret of the first does not decrypt, and the second makes reading break."""

    def get(self, environment_id: EnvironmentId, id: str) -> Webhook | None:
        if id == "unreadable":
            raise UnreadableSecretError
        if id == "odd":
            raise ValueError(id)
        return super().get(environment_id, id)


def event(number: int = 0, **fields: object) -> PendingEvent:
    made = PendingEvent(
        id=f"event-{number}",
        webhook_id="webhook",
        resource_id=None,
        event="integrated_account:reactivated",
        body=b"{}",
        records=0,
        attempts=0,
        created_at=CLOCK.now(),
    )
    return replace(made, **fields)  # type: ignore[arg-type]


class Place:
    """A leader with events to announce."""

    def __init__(self, waiting: Sequence[PendingEvent], *answers: SendAnswer, is_active: bool = True) -> None:
        self.announcements, self.receiver = FakeAnnouncements([*waiting]), FakeReceiver(*answers)
        self.webhooks = Unreadable(webhook, webhook(is_active=is_active))
        self.pool = DeliveryPool(self.receiver.submit, FakeDispatcher(), most=8)
        health = WebhookHealth(webhooks=self.webhooks, clock=CLOCK, settings=SETTINGS)  # type: ignore[arg-type]  # it has what is called
        self.announcing = AnnouncementSender(
            announcements=self.announcements, health=health, pool=self.pool, clock=CLOCK, settings=SETTINGS
        )

    def send(self) -> FakeAnnouncements:
        self.announcing.send_due()
        return self.announcements


def test_event_is_settled_when_it_is_answered_and_nobody_waits_for_that() -> None:
    here = Place([event()], PENDING)
    assert here.send().ends == {}
    assert here.announcements.terms is not None
    *most, lease_seconds = here.announcements.terms
    assert most == [MOST_TAKEN, SETTINGS.deliveries_per_webhook]
    assert lease_seconds > SETTINGS.delivery_timeout_seconds

    here.receiver.futures[0].set_result(204)

    assert here.pool.join(30)
    assert here.announcements.ends == {"event-0": (DeliveryStatus.DELIVERED, None)}


def test_event_that_finds_no_room_is_given_back() -> None:
    here = Place([event(number) for number in range(10)], PENDING)

    announcements = here.send()

    assert announcements.released == [f"event-{number}" for number in range(len(here.receiver.sent), 10)]
    assert 0 < len(here.receiver.sent) < 8


def test_event_that_a_stopping_daemon_leaves_is_given_back() -> None:
    here = Place([event()], PENDING)
    here.send()

    here.pool.stop_within(0.0)

    assert here.pool.join(30)
    assert (here.announcements.released, here.announcements.failed) == (["event-0"], {})


def test_refused_event_is_tried_again_no_sooner_than_the_receiver_asks() -> None:
    here = Place([event()], DeliveryError("busy", status=503, retry_after_seconds=90.0))

    assert here.send().failed == {"event-0": (503, "busy", 90.0)}


@pytest.mark.parametrize("why", ["late", "final", "too large", "deleted"])
def test_event_is_given_up(why: str) -> None:
    created_at = CLOCK.now() - timedelta(seconds=61 if why == "late" else 0)
    one = event(created_at=created_at, webhook_id="gone" if why == "deleted" else "webhook")
    status = 413 if why == "too large" else 500
    here = Place([one], DeliveryError("no", status=status, is_final=why == "final"))

    end, error = here.send().ends["event-0"]

    assert end is DeliveryStatus.DEAD_LETTERED
    assert error == ("webhook 'gone' was deleted" if why == "deleted" else "no")


def test_event_waits_for_a_webhook_that_is_not_active() -> None:
    here = Place([event()], 200, is_active=False)

    assert list(here.send().failed) == ["event-0"]
    assert here.receiver.sent == []


@pytest.mark.parametrize(
    ("id", "words"),
    [
        ("unreadable", "the signing secret of webhook 'unreadable' does not decrypt: "),
        ("odd", "it could not be sent: ValueError"),
    ],
    ids=["a secret that does not decrypt", "anything else"],
)
def test_event_that_can_not_be_handled_keeps_no_other_from_its_turn(id: str, words: str) -> None:
    here = Place([event(webhook_id=id), event(1)], 200)

    announcements = here.send()

    status, error, pause = announcements.failed["event-0"]
    assert (status, error.startswith(words)) == (None, True)
    assert pause > 0
    assert announcements.ends == {"event-1": (DeliveryStatus.DELIVERED, None)}


def test_receiver_that_is_gone_disables_its_webhook_and_others_are_told() -> None:
    here = Place([event()], DeliveryError("gone", status=410))

    here.send()

    assert here.webhooks.rows["webhook"].disabled_reason == "gone"
    assert [draft.event for draft in here.webhooks.announced] == ["webhook:disabled"]


def test_webhook_that_fails_for_too_long_is_disabled_unless_it_takes_something_in_between() -> None:
    failing = DeliveryError("no", status=500)
    here = Place([event(0)], failing, 200, failing, failing)

    for number in range(1, 5):
        here.send()
        assert here.webhooks.rows["webhook"].is_active == (number < 4)
        here.announcements.waiting = [event(number)]
