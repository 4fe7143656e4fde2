"""Build what watches for what is wrong, and tells people."""

import time

from app.bootstrap.shared import Outside, Shared
from app.services.maintenance.duties import Duty
from app.services.notifications.sending import NotificationSending
from app.services.notifications.watching import Telling, TellingTerms, Watching
from app.settings import Settings
from app.store.notifications.destinations import NotificationDestinationStore
from app.store.notifications.groups import GroupStore
from app.store.notifications.incidents import IncidentStore
from app.store.notifications.messages import MessageStore


def build_watching(shared: Shared, settings: Settings) -> Watching:
    """Build what finds what is wrong."""
    incidents, groups = IncidentStore(shared.engine), GroupStore(shared.engine)
    terms = TellingTerms(
        interval_seconds=settings.notification_interval_seconds,
        reminder_seconds=settings.notification_reminder_seconds,
        public_url=settings.public_url,
    )
    telling = Telling(
        close_untold=groups.close_untold,
        find_due=groups.find_due,
        tell=groups.tell,
        terms=terms,
        monotonic=time.monotonic,
    )
    return Watching(
        list_watched=incidents.list_watched,
        compare=incidents.compare,
        close_others=incidents.close_others,
        inspect=NotificationDestinationStore(shared.engine, shared.cipher).inspect,
        telling=telling,
        monotonic=time.monotonic,
    )


def build_notification_sending(shared: Shared, outside: Outside, settings: Settings) -> NotificationSending:
    """Build what sends the messages that wait."""
    return NotificationSending(
        messages=MessageStore(shared.engine),
        find_destination=NotificationDestinationStore(shared.engine, shared.cipher).get,
        send=shared.notifier.send,
        start=outside.start_duty,
        timeout_seconds=settings.delivery_timeout_seconds,
        patience_seconds=settings.delivery_retention_seconds,
        monotonic=time.monotonic,
    )


def build_notification_duties(shared: Shared, outside: Outside, settings: Settings) -> tuple[Duty, ...]:
    """Build the leader's duties that watch and notify."""
    sending = build_notification_sending(shared, outside, settings)
    return (*build_watching(shared, settings).build_duties(), *sending.build_duties())
