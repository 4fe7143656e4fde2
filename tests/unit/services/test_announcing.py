"""Events of no run are sent without waiting for a receiver, tried again, and given up in the end."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from service_fakes import PENDING, FakeClock, FakeReceiver, SendAnswer
from service_tables import ENVIRONMENT, FakeTable, webhook

from app.engine.errors import DeliveryError, UnreadableSecretError
from app.engine.objects import EnvironmentId, Webhook
from app.engine.work import PendingEvent
from app.services.announcing import MOST_UNDER_WAY, Announcing, WebhookReader
from app.settings import Settings

SETTINGS = Settings(database_url="", broker_url="", encryption_key="", delivery_retention_seconds=60)
CLOCK = FakeClock()


@dataclass
class FakeAnnouncements:
    """Events that are due until they are settled."""

    waiting: list[PendingEvent]
    ends: dict[str, tuple[bool, str | None]] = field(default_factory=dict)
    failed: dict[str, tuple[int | None, float]] = field(default_factory=dict)

    def due(self, *, limit: int, skipped: Sequence[str]) -> Sequence[tuple[EnvironmentId | None, PendingEvent]]:
        done = {*self.ends, *self.failed, *skipped}
        left = [event for event in self.waiting if event.id not in done]
        return [(None if event.webhook_id == "gone" else ENVIRONMENT, event) for event in left][:limit]

    def settle(self, event_id: str, *, delivered: bool, status_code: int | None, error: str | None) -> None:
        self.ends[event_id] = (delivered, error)

    def failed_attempt(self, event_id: str, *, status_code: int | None, error: str, wake_seconds: float) -> None:
        self.failed[event_id] = (status_code, wake_seconds)


@dataclass
class Unreadable:
    """Webhooks, one of which has a secret that does not decrypt."""

    id: str
    others: WebhookReader

    def get(self, environment_id: EnvironmentId, webhook_id: str) -> Webhook | None:
        if webhook_id == self.id:
            raise UnreadableSecretError
        return self.others.get(environment_id, webhook_id)


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


def announcing(
    waiting: Sequence[PendingEvent], *answers: SendAnswer, is_active: bool = True
) -> tuple[Announcing, FakeAnnouncements, FakeReceiver]:
    announcements, receiver = FakeAnnouncements([*waiting]), FakeReceiver(*answers)
    webhooks = FakeTable(webhook, webhook(is_active=is_active))
    made = Announcing(
        announcements=announcements,
        webhooks=webhooks,
        sender=receiver,
        clock=CLOCK,
        settings=SETTINGS,
        monotonic=lambda: 0.0,
    )
    return made, announcements, receiver


def test_event_is_sent_once_and_settled_when_it_is_answered() -> None:
    here, announcements, receiver = announcing([event()], PENDING)
    here.send_due()
    here.send_due()
    assert (receiver.event_ids, announcements.ends) == (["event-0"], {})

    receiver.futures[0].set_result(204)
    here.send_due()

    assert announcements.ends == {"event-0": (True, None)}
    assert receiver.event_ids == ["event-0"]


def test_no_more_than_so_many_are_under_way() -> None:
    here, _, receiver = announcing([event(number) for number in range(MOST_UNDER_WAY + 5)], PENDING)

    here.send_due()
    here.send_due()

    assert len(receiver.sent) == MOST_UNDER_WAY


def test_refused_event_is_tried_again_no_sooner_than_the_receiver_asks() -> None:
    here, announcements, _ = announcing([event()], DeliveryError("busy", status=503, retry_after_seconds=90.0))

    here.send_due()
    here.send_due()

    assert announcements.failed == {"event-0": (503, 90.0)}


@pytest.mark.parametrize("why", ["late", "final", "deleted"])
def test_event_is_given_up(why: str) -> None:
    created_at = CLOCK.now() - timedelta(seconds=61 if why == "late" else 0)
    one = event(created_at=created_at, webhook_id="gone" if why == "deleted" else "webhook")
    here, announcements, _ = announcing([one], DeliveryError("no", status=500, is_final=why == "final"))

    here.send_due()
    here.send_due()

    delivered, error = announcements.ends["event-0"]
    assert not delivered
    assert error == ("webhook 'gone' was deleted" if why == "deleted" else "no")


def test_event_waits_for_a_webhook_that_is_not_active() -> None:
    here, announcements, receiver = announcing([event()], 200, is_active=False)

    here.send_due()

    assert receiver.sent == []
    assert list(announcements.failed) == ["event-0"]


def test_event_whose_webhook_can_not_be_read_is_told_of_and_the_others_are_sent() -> None:
    unreadable = webhook(id="unreadable")
    here, announcements, receiver = announcing([event(0, webhook_id=unreadable.id), event(1)], PENDING)
    here._webhooks = Unreadable(unreadable.id, here._webhooks)  # the one seam

    here.send_due()

    assert receiver.event_ids == ["event-1"]
    assert list(announcements.failed) == ["event-0"]
