"""Build what only the dashboard calls."""

from app.bootstrap.shared import Shared
from app.services.dashboard.services import DashboardServices
from app.services.dashboard.sessions import SessionService
from app.settings import Settings
from app.store.dashboard.sessions import SessionStore


def build_dashboard_services(shared: Shared, settings: Settings) -> DashboardServices:
    """Build the dashboard's own services."""
    return DashboardServices(
        sessions=SessionService(SessionStore(shared.engine), session_seconds=settings.dashboard_session_seconds)
    )
