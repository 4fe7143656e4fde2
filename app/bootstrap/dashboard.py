"""Build what only the dashboard calls."""

from app.bootstrap.shared import Shared
from app.services.dashboard.services import DashboardServices
from app.services.dashboard.sessions import SessionService
from app.settings import Settings
from app.store.dashboard.account_facts import AccountFacts
from app.store.dashboard.sessions import SessionStore
from app.store.dashboard.webhook_facts import WebhookFacts


def build_dashboard_services(shared: Shared, settings: Settings) -> DashboardServices:
    """Build the dashboard's own services."""
    accounts = AccountFacts(shared.engine)
    return DashboardServices(
        sessions=SessionService(SessionStore(shared.engine), session_seconds=settings.dashboard_session_seconds),
        list_held_resources=accounts.list_resources,
        read_timeline=accounts.read_timeline,
        count_backlogs=WebhookFacts(shared.engine).count_backlogs,
    )
