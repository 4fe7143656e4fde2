"""The chore that looks after stuck runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from service_setting import setting

from app.engine.status import RunStatus
from app.services.unsticking import Unsticking


@dataclass
class FakeStuckRuns:
    ids: Sequence[str]
    asked: list[float] = field(default_factory=list)

    def stuck(self, *, seconds: float, limit: int) -> Sequence[str]:
        self.asked.append(seconds)
        return self.ids[:limit]


def test_every_stuck_run_is_freed_or_ended() -> None:
    here = setting()
    here.moves.has_begun = False
    here.moves.left = "units: none at all"
    runs = FakeStuckRuns(["gone", "run"])

    Unsticking(runs=runs, tracking=here.tracking(), stuck_seconds=300).step()

    assert runs.asked == [300]
    assert here.runs.rows["run"].status is RunStatus.FAILED
