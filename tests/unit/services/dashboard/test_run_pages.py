"""A run's page: its sentence, what its books come to, and when it has to be made anew."""

from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest

from app.engine.errors import NotFoundError
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.runs import SyncJobRun
from app.engine.runs.books import Counters
from app.engine.status import RunStatus
from app.services.dashboard.run_pages import RunPages
from app.services.dashboard.run_parts import ErrorGroups, RunDeliveries, RunParts
from app.services.dashboard.unit_spans import UnitSpans
from app.services.diagnosis.run_diagnosis import Diagnosis
from tests.unit.services.service_fakes import FakeClock
from tests.unit.services.service_tables import ENVIRONMENT, run

NOW = FakeClock().now()
PARTS = RunParts(
    job_label=None,
    tenant_id=None,
    units=UnitSpans(counts={}, shown=()),
    errors=ErrorGroups(groups=(), is_capped=False),
    deliveries=RunDeliveries(counts={}, is_capped=False, undelivered=()),
)


def diagnosed(found: SyncJobRun) -> Diagnosis:
    return Diagnosis(
        id=found.id,
        status=found.status,
        reason="",
        waits=(),
        resources=(),
        seconds=1.0,
        usual_seconds=None,
        is_slow=False,
    )


class Runs:
    """One run."""

    def __init__(self, found: SyncJobRun) -> None:
        self.found = found

    def get(self, environment_id: EnvironmentId, run_id: str) -> SyncJobRun:
        if (environment_id, run_id) != (ENVIRONMENT, self.found.id):
            raise NotFoundError("sync job run", run_id)
        return self.found

    def explain_run(self, found: SyncJobRun) -> Diagnosis:
        return diagnosed(found)


def pages(found: SyncJobRun) -> RunPages:
    runs: Any = Runs(found)
    return RunPages(runs=runs, diagnosis=runs, read_parts=lambda _, **__: PARTS, clock=FakeClock())


def stats(**counters: int) -> JsonObject:
    shown = {"status": "completed", "expected": None, "warnings": {}, "reading": {}}
    return {"tickets": {"list": {**asdict(Counters(**counters)), **shown}}}


def test_page_sums_what_its_resources_have_counted() -> None:
    found = run(resource_stats=stats(fetched=3, created=2, errors=2, retried=1, unproven=1))

    page = pages(found).gather(pages(found).find(ENVIRONMENT, found.id))

    assert (page.is_balanced, page.standing_errors, page.unproven) == (False, 1, 1)
    assert (page.now, page.parts.units.total) == (NOW, 0)
    assert page.command.startswith("ferryman run create job account")


def test_page_of_an_ended_run_stands_still() -> None:
    ended = run(status=RunStatus.COMPLETED, finished_at=NOW - timedelta(hours=1), resource_stats=stats())
    live = run()

    assert pages(ended).gather(ended).now == ended.finished_at
    assert pages(ended).name_version(ended) == pages(ended).name_version(ended)
    assert pages(ended).name_version(ended) != pages(ended).name_version(replace(ended, resource_stats=stats(errors=1)))
    assert pages(live).name_version(live) == "2026-03-01T12:00:00.000Z"


def test_run_of_another_environment_has_no_page() -> None:
    with pytest.raises(NotFoundError):
        pages(run()).find(EnvironmentId("elsewhere"), "run")
