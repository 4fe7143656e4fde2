"""Runs: found by filters that stand in the address; one of them, live."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final

import flask

from app.api.resources.services import environment, services
from app.api.resources.views import path_id
from app.engine.errors import Failure, InvalidInputError
from app.engine.objects.daemons import Daemon
from app.engine.objects.jobs import SyncJob
from app.engine.objects.lists import ListFilters
from app.engine.objects.runs import SyncJobRun
from app.engine.status import RunStatus
from app.services.dashboard.run_filters import RunFilters, read_filters
from app.services.dashboard.run_lines import RunLines
from app.services.dashboard.run_pages import RunPage
from app.services.runs.runs import Verification
from app.ui import rendering, run_charts
from app.ui.run_charts import GraphChart, RunBar, UnitBar
from app.ui.screen import Done, Screens

runs = Screens("runs", title="Runs", key="r", home="list_runs")

_PAGE: Final = 50
_MOST_JOBS: Final = 200
_NOTHING: Final = RunLines(runs=(), count=0, is_capped=False, next_cursor=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsPage:
    """A page of runs, and the form that they were found by."""

    found: RunLines
    filters: RunFilters
    typed: Mapping[str, Sequence[str]]
    """The parameters as they were sent."""
    cursor: str | None
    jobs: Sequence[SyncJob]
    statuses: Sequence[RunStatus] = tuple(RunStatus)
    failures: Sequence[Failure] = ()

    def first(self, name: str) -> str:
        """Return the first value of a parameter."""
        return next(iter(self.typed.get(name, ())), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRun:
    """A run with its pictures."""

    all: RunPage
    graph: GraphChart
    whole: RunBar
    units: Sequence[UnitBar]
    units_from: datetime
    units_to: datetime
    mortal: Sequence[Daemon]
    """The daemons that may be killed while it is under way, to see that nothing is lost."""

    @property
    def run(self) -> SyncJobRun:
        """The run."""
        return self.all.run

    def facts_of(self, show_time: Callable[[datetime], str]) -> Sequence[tuple[str, str]]:
        """Return the names and values of what there is of the run; ``show_time`` writes a time."""
        run = self.run
        times = (("Created", run.created_at), ("Started", run.started_at), ("Ended", run.finished_at))
        texts = (
            *(("Daemon group", run.daemon_group_key), ("Daemon", run.daemon_id), ("Webhook", run.webhook_id)),
            *(("Mutex", run.mutex_key), ("After run", run.waiting_on)),
            ("Resumed", f"{run.resumes:,} times" if run.resumes else None),
        )
        until = [("Goes on at", show_time(run.retry_after))] if run.retry_after and not run.status.is_final else []
        shown = [(name, show_time(moment)) for name, moment in times if moment is not None]
        return [*shown, *until, *((name, value) for name, value in texts if value)]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedRun:
    """A run, counted anew."""

    run: SyncJobRun
    verification: Verification


def _name_version(id: str) -> str:
    flask.g.run = _find(id)
    return services().dashboard.run_pages.name_version(flask.g.run)


@runs.page("/runs", "runs/list.html")
def list_runs() -> RunsPage | flask.Response:
    """Find runs."""
    typed = {name: values for name, values in flask.request.args.to_dict(flat=False).items() if name != "cursor"}
    cursor = flask.request.args.get("cursor") or None
    try:
        filters = read_filters(typed)
        found = services().dashboard.search_runs(environment(), filters, limit=_PAGE, next_cursor=cursor)
    except InvalidInputError as error:
        page = RunsPage(
            found=_NOTHING,
            filters=RunFilters(),
            typed=typed,
            cursor=None,
            jobs=_list_jobs(),
            failures=error.failures,
        )
        return rendering.show("runs/list.html", HTTPStatus.BAD_REQUEST, page=page)
    return RunsPage(found=found, filters=filters, typed=typed, cursor=cursor, jobs=_list_jobs())


@runs.page("/runs/<id>", "runs/run.html")
def show_run(id: str) -> ShownRun:
    """Show a run."""
    return _gather(_find(id))


@runs.fragment("/runs/<id>/live", "runs/live.html", version=_name_version)
def renew_run(id: str) -> ShownRun:
    """Show how a run is by now."""
    return _gather(flask.g.run)


@runs.page("/runs/<id>/verify", "runs/verify.html")
def verify_run(id: str) -> VerifiedRun:
    """Count a run anew."""
    run_id = path_id("sync job run", id)
    service = services().runs
    return VerifiedRun(run=service.get(environment(), run_id), verification=service.verify(environment(), run_id))


@runs.action("/runs/<id>/stop")
def stop_run(id: str) -> Done:
    """Stop a run."""
    run = services().runs.stop(environment(), path_id("sync job run", id))
    return _return_to(
        run, "The run was stopped." if run.status is RunStatus.STOPPED else f"It had {run.status} before."
    )


@runs.action("/runs/<id>/resume")
def resume_run(id: str) -> Done:
    """Resume a run, or the requests of it that failed."""
    errors_only = flask.request.form.get("errors_only") == "true"
    run = services().runs.resume(environment(), path_id("sync job run", id), errors_only=errors_only)
    what = "What failed is requested again." if errors_only else "The run goes on."
    return _return_to(run, what)


@runs.action("/runs/<id>/delete")
def delete_run(id: str) -> Done:
    """Remove a run that has ended; a live one is stopped."""
    run_id = path_id("sync job run", id)
    services().runs.delete(environment(), run_id)
    return Done(address=flask.url_for("ui.runs.list_runs"), notice=f"Run {run_id} was deleted, or stopped.")


def _find(id: str) -> SyncJobRun:
    return services().dashboard.run_pages.find(environment(), path_id("sync job run", id))


def _gather(run: SyncJobRun) -> ShownRun:
    page, killer = services().dashboard.run_pages.gather(run), services().dashboard.killer
    begun, end = run_charts.bound_units(page)
    return ShownRun(
        all=page,
        units_from=begun,
        units_to=end,
        graph=run_charts.draw_graph_chart(page),
        whole=run_charts.draw_run(page),
        units=run_charts.draw_units(page),
        mortal=() if killer is None or run.status.is_final else killer.list_mortal(run.daemon_group_key),
    )


def _return_to(run: SyncJobRun, notice: str) -> Done:
    return Done(address=flask.url_for("ui.runs.show_run", id=run.id), notice=notice)


def _list_jobs() -> Sequence[SyncJob]:
    return services().jobs.list(environment(), ListFilters(limit=_MOST_JOBS)).result
