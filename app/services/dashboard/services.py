"""What the dashboard's screens call that nothing else calls."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.engine.objects.environments import EnvironmentId
from app.services.dashboard.bulk_actions import BulkActions
from app.services.dashboard.facts import Backlog, HeldResource, Timeline
from app.services.dashboard.fleet_board import FleetBoard
from app.services.dashboard.killing import DaemonKiller
from app.services.dashboard.overview import OverviewReads
from app.services.dashboard.run_lines import RunLines
from app.services.dashboard.run_pages import RunPages
from app.services.dashboard.sessions import SessionService


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardServices:
    """The services of the dashboard alone; for all else its screens call those of the API."""

    sessions: SessionService
    search_runs: Callable[..., RunLines]
    """``RunSearch.search`` (app/store/dashboard/run_search.py)."""
    bulk_actions: BulkActions
    run_pages: RunPages
    overview: OverviewReads
    fleet: FleetBoard
    killer: DaemonKiller | None
    """None where no daemon may be killed."""
    list_held_resources: Callable[[EnvironmentId, str], Sequence[HeldResource]]
    """Lists what is held of an account, resource by resource."""
    read_timeline: Callable[..., Timeline]
    """Returns what happened to an account ``before`` a moment, at most about ``limit`` of it."""
    count_backlogs: Callable[..., Mapping[str, Backlog]]
    """Counts the newest deliveries of webhooks, at most ``most`` of each."""
