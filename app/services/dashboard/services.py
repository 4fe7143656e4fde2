"""What the dashboard's screens call that nothing else calls."""

from dataclasses import dataclass

from app.services.dashboard.sessions import SessionService


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardServices:
    """The services of the dashboard alone; for all else its screens call those of the API."""

    sessions: SessionService
