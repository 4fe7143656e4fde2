"""Build what only the dashboard calls."""

from app.bootstrap.shared import Shared
from app.services.dashboard.bulk_actions import BulkActions
from app.services.dashboard.run_pages import RunPages
from app.services.dashboard.services import DashboardServices
from app.services.dashboard.sessions import SessionService
from app.services.diagnosis.run_diagnosis import RunDiagnosis
from app.services.runs.runs import RunService
from app.settings import Settings
from app.store.dashboard.bulk_actions import BulkActionStore
from app.store.dashboard.run_parts import RunPartReader
from app.store.dashboard.run_search import RunSearch
from app.store.dashboard.sessions import SessionStore


def build_dashboard_services(
    shared: Shared, settings: Settings, runs: RunService, diagnosis: RunDiagnosis
) -> DashboardServices:
    """Build the dashboard's own services."""
    return DashboardServices(
        sessions=SessionService(SessionStore(shared.engine), session_seconds=settings.dashboard_session_seconds),
        search_runs=RunSearch(shared.engine).search,
        bulk_actions=BulkActions(BulkActionStore(shared.engine)),
        run_pages=RunPages(
            runs=runs, diagnosis=diagnosis, read_parts=RunPartReader(shared.engine).read, clock=shared.clock
        ),
    )
