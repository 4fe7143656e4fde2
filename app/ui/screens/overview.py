"""Overview: is all well, what ended, and what needs attention."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from app.api.resources.services import environment, services
from app.services.dashboard.fleet_board import Board
from app.services.dashboard.overview import (
    COMPLETED_WITH_ERRORS,
    Attention,
    DueTrigger,
    Outcome,
    fill_hours,
    list_attention,
    measure_records,
)
from app.ui import charts
from app.ui.charts import Column, StackedBars
from app.ui.rendering import at, read_environment_name
from app.ui.screen import Screens
from app.ui.texts import write_machine_time

overview = Screens("overview", title="Overview", key="o")

_KINDS: Final = ("completed", COMPLETED_WITH_ERRORS, "stopped", "failed")
"""From the bottom of a bar to its top."""
_TICK_HOURS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Concerns:
    """What needs attention."""

    attention: Sequence[Attention]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What comes next."""

    due: Sequence[DueTrigger]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What was done."""

    outcomes: StackedBars
    runs: int
    records_line: str
    records_last_minute: float
    records_last_hour: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """What the overview shows."""

    environment: str
    fleet: Board
    concerns: Concerns
    work: Work
    due: Due


@overview.page("/", "overview/page.html")
def show() -> OverviewPage:
    """Show the environment at a glance."""
    return OverviewPage(
        environment=read_environment_name(),
        fleet=show_fleet(),
        concerns=show_concerns(),
        work=show_work(),
        due=show_due(),
    )


@overview.fragment("/overview/fleet", "overview/fleet.html")
def show_fleet() -> Board:
    """Show how the fleet is."""
    return services().dashboard.fleet.read(environment())


@overview.fragment("/overview/concerns", "overview/concerns.html")
def show_concerns() -> Concerns:
    """Show what needs attention."""
    return Concerns(attention=list_attention(services().dashboard.overview.read_troubles(environment())))


@overview.fragment("/overview/due", "overview/due.html")
def show_due() -> Due:
    """Show which triggers are due next."""
    return Due(due=services().dashboard.overview.list_due(environment()))


def _name_work() -> str:
    """Return what changes whenever a run ends, or a minute begins."""
    return f"{services().dashboard.overview.find_last_end(environment())} {datetime.now(UTC):%H:%M}"


@overview.fragment("/overview/work", "overview/work.html", version=_name_work)
def show_work() -> Work:
    """Show what runs came to, and how fast records come."""
    reads, now = services().dashboard.overview, datetime.now(UTC)
    outcomes, records = reads.count_outcomes(environment()), measure_records(reads.list_paces(environment()), now)
    runs = sum(outcome.runs for outcome in outcomes)
    return Work(
        outcomes=_draw(outcomes, now),
        runs=runs,
        records_line=charts.draw_line(records, width=240, height=40),
        records_last_minute=round(records[-2]),
        records_last_hour=round(sum(records)),
    )


def _draw(outcomes: Sequence[Outcome], now: datetime) -> StackedBars:
    hours = fill_hours(outcomes, now)
    columns = [
        Column(
            label=f"{hour:%d %b %H:00} UTC",
            href=_lead_to_runs(hour),
            values={kind: counts.get(kind, 0) for kind in _KINDS},
        )
        for hour, counts in hours
    ]
    return charts.stack_bars(columns, [f"{hours[at][0]:%H:00}" for at in range(0, len(hours), _TICK_HOURS)])


def _lead_to_runs(hour: datetime) -> str:
    ends = hour + timedelta(hours=1)
    return at(f"/runs?finished_from={write_machine_time(hour)}&finished_to={write_machine_time(ends)}")
