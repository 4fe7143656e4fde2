"""The chore that looks after stuck runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from service_setting import Setting, setting

from app.engine.status import RunStatus
from app.services.unsticking import ATTEMPTS, Unsticking


@dataclass
class FakeStuckRuns:
    ids: Sequence[str]
    asked: list[float] = field(default_factory=list)

    def stuck(self, *, seconds: float, limit: int) -> Sequence[str]:
        self.asked.append(seconds)
        return self.ids[:limit]


def stuck_setting() -> Setting:
    here = setting()
    here.moves.has_begun = False
    here.moves.left = "units: none at all"
    return here


def test_stuck_run_is_ended_only_after_several_attempts_to_free_it() -> None:
    here = stuck_setting()
    runs = FakeStuckRuns(["gone", "run"])
    unsticking = Unsticking(runs=runs, tracking=here.tracking(), stuck_seconds=300)
    statuses = []

    for _ in range(ATTEMPTS):
        unsticking.step()
        statuses.append(here.runs.rows["run"].status)

    assert statuses == [RunStatus.RUNNING] * (ATTEMPTS - 1) + [RunStatus.FAILED]
    assert runs.asked == [300] * ATTEMPTS


def test_attempts_count_only_while_the_run_stays_stuck() -> None:
    here = stuck_setting()
    runs = FakeStuckRuns(["run"])
    unsticking = Unsticking(runs=runs, tracking=here.tracking(), stuck_seconds=300)

    for ids in (["run"], ["run"], ["run"], [], ["run"]):
        runs.ids = ids
        unsticking.step()

    assert here.runs.rows["run"].status is RunStatus.RUNNING
