"""Build what only the dashboard calls."""

import hashlib

from app.api.resources.services import ReadingServices
from app.bootstrap.shared import Shared
from app.services.dashboard.bulk_actions import BulkActions
from app.services.dashboard.fleet_board import FleetBoard
from app.services.dashboard.killing import DaemonKiller
from app.services.dashboard.openid import OpenIdProvider
from app.services.dashboard.overview import OverviewReads
from app.services.dashboard.run_pages import RunPages
from app.services.dashboard.services import DashboardServices
from app.services.dashboard.sessions import SessionService
from app.services.runs.runs import RunService
from app.settings import Settings
from app.store.dashboard.account_facts import AccountFacts
from app.store.dashboard.bulk_actions import BulkActionStore
from app.store.dashboard.overview import OverviewReader
from app.store.dashboard.run_parts import RunPartReader
from app.store.dashboard.run_search import RunSearch
from app.store.dashboard.sessions import SessionStore
from app.store.dashboard.webhook_facts import WebhookFacts
from app.store.maintenance.database_health import DatabaseHealth


def build_dashboard_services(
    shared: Shared, runs: RunService, reading: ReadingServices, settings: Settings
) -> DashboardServices:
    """Build the dashboard's own services."""
    overview, accounts = OverviewReader(shared.engine), AccountFacts(shared.engine)
    return DashboardServices(
        sessions=SessionService(SessionStore(shared.engine), session_seconds=settings.dashboard_session_seconds),
        search_runs=RunSearch(shared.engine).search,
        bulk_actions=BulkActions(BulkActionStore(shared.engine)),
        run_pages=RunPages(
            runs=runs,
            diagnosis=reading.diagnosis,
            read_parts=RunPartReader(shared.engine).read,
            clock=shared.clock,
        ),
        overview=OverviewReads(
            count_outcomes=overview.count_outcomes,
            find_last_end=overview.find_last_end,
            list_paces=overview.list_paces,
            read_troubles=overview.read_troubles,
            list_due=overview.list_due,
        ),
        fleet=FleetBoard(
            reading.fleet, reading.daemons, DatabaseHealth(shared.engine).has_leader, overview.list_waiting_groups
        ),
        openid=_build_openid(settings),
        killer=DaemonKiller(reading.daemons) if settings.dashboard_kills else None,
        list_held_resources=accounts.list_resources,
        read_timeline=accounts.read_timeline,
        count_backlogs=WebhookFacts(shared.engine).count_backlogs,
    )


def _build_openid(settings: Settings) -> OpenIdProvider | None:
    if not settings.oidc_issuer:
        return None
    return OpenIdProvider(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret,
        claim=settings.oidc_claim,
        # The same in all processes, and nothing that the key itself could be found by.
        cookie_key=hashlib.sha256(b"sign-in of the dashboard\0" + settings.encryption_key.encode()).hexdigest(),
    )
