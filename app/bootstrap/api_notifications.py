"""Build what an API process keeps of notification destinations and rules."""

from app.api.resources.services import NotificationServices
from app.bootstrap.shared import Shared
from app.services.notifications.destinations import NotificationDestinationService
from app.services.notifications.incidents import IncidentService
from app.services.notifications.rules import NotificationRuleService
from app.settings import Settings
from app.store.catalog.jobs import JobStore
from app.store.notifications.destinations import NotificationDestinationStore
from app.store.notifications.incident_lists import IncidentReader
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
