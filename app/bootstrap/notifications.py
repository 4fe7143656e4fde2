"""Build what keeps notification destinations and rules, watches, and tells."""

import time

from app.api.resources.services import NotificationServices
from app.bootstrap.shared import Outside, Shared
from app.services.maintenance.duties import Duty
from app.services.notifications.destinations import NotificationDestinationService
from app.services.notifications.incidents import IncidentService
from app.services.notifications.rules import NotificationRuleService
from app.services.notifications.sending import NotificationSending
from app.services.notifications.watching import Telling, TellingTerms, Watching
from app.settings import Settings
from app.store.catalog.jobs import JobStore
from app.store.notifications.destinations import NotificationDestinationStore
from app.store.notifications.groups import GroupStore
from app.store.notifications.incident_lists import IncidentReader
from app.store.notifications.incidents import IncidentStore
from app.store.notifications.messages import MessageStore
from app.store.notifications.rules import NotificationRuleStore


def build_notification_services(shared: Shared, settings: Settings) -> NotificationServices:
    """Build what the API calls."""
    destinations = NotificationDestinationStore(shared.engine, shared.cipher)
    finders = (
        ("notification_destination_id", "notification destination", destinations.inspect),
        ("sync_job_id", "sync job", JobStore(shared.engine).get),
        ("integrated_account_id", "integrated account", shared.accounts.inspect),
    )
    incidents = IncidentReader(shared.engine)
    return NotificationServices(
        destinations=NotificationDestinationService(
            destinations,
            destinations.inspect,
            shared.notifier.send,
            has_mail_server=bool(settings.smtp_url),
            clock=shared.clock,
        ),
        rules=NotificationRuleService(NotificationRuleStore(shared.engine), finders),
        incidents=IncidentService(incidents=incidents, list_incidents=incidents.list),
    )


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
