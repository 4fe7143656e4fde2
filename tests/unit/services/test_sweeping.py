"""What the leader repairs: lost messages, lost rings, unsettled runs, silent daemons."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from service_moves import resource_state
from service_setting import Setting, setting

from app.engine.status import RunStatus
from app.engine.work import Ring
from app.services.sweeping import Sweeper

DUE = Ring(run_id="run", unit_id="unit", queue="rapid-bridge")


@dataclass
class Neglected:
    """All that waits in vain: each duty takes its share away."""

    units: list[Ring] = field(default_factory=list)
    runs: list[tuple[str, str]] = field(default_factory=list)
    unsettled_runs: list[str] = field(default_factory=list)
    messages: list[tuple[str, list[str], str]] = field(default_factory=list)
    silent: int = 0

    def unsettled(self, *, limit: int) -> list[str]:
        return self.unsettled_runs[:limit]

    def publish_waiting(
        self, publish: Callable[[str, list[str], str], bool], *, older_than_seconds: float, limit: int
    ) -> int:
        before = len(self.messages)
        while self.messages and publish(*self.messages[0]):
            self.messages.pop(0)
        return before - len(self.messages)

    def mark_silent(self, *, seconds: float) -> int:
        silent, self.silent = self.silent, 0
        return silent


@dataclass
class DueUnits:
    """Units that somebody should look at."""

    neglected: Neglected

    def ring_due(self, *, ring_after_seconds: float, limit: int) -> list[Ring]:
        due, self.neglected.units = self.neglected.units, []
        return due


@dataclass
class DueRuns:
    """Runs that somebody should look at."""

    neglected: Neglected

    def ring_due(self, *, ring_after_seconds: float, limit: int) -> list[tuple[str, str]]:
        due, self.neglected.runs = self.neglected.runs, []
        return due

    def unsettled(self, *, limit: int) -> list[str]:
        return self.neglected.unsettled(limit=limit)


def sweeper(here: Setting, neglected: Neglected) -> Sweeper:
    return Sweeper(
        units=DueUnits(neglected),
        runs=DueRuns(neglected),
        messages=neglected,
        daemons=neglected,
        tracking=here.tracking(),
        bell=here.bell,
        settings=here.settings,
    )


def test_sweep_rings_for_what_waits() -> None:
    here = setting()

    sweeper(here, Neglected(units=[DUE], runs=[("r1", "q1"), ("r2", "q2")])).sweep()

    assert here.bell.rings == [DUE]
    assert here.bell.runs == [("r1", "q1"), ("r2", "q2")]


def test_sweep_publishes_promised_messages() -> None:
    here = setting()
    neglected = Neglected(messages=[("start", ["r1"], "q")])

    sweeper(here, neglected).sweep()

    assert here.bell.tasks == [("start", ["r1"], "q")]
    assert neglected.messages == []


def test_sweep_keeps_messages_that_the_broker_does_not_take() -> None:
    here = setting()
    here.bell.is_broken = True
    neglected = Neglected(messages=[("start", ["r1"], "q")])

    sweeper(here, neglected).sweep()

    assert neglected.messages == [("start", ["r1"], "q")]


def test_sweep_settles_runs_that_nobody_settled() -> None:
    here = setting()
    here.moves.resources = [resource_state()]

    sweeper(here, Neglected(unsettled_runs=["run"])).sweep()

    assert here.runs.rows["run"].status is RunStatus.COMPLETED


@pytest.mark.parametrize(("silent", "warnings"), [(2, ["daemons fell silent"]), (0, [])])
def test_sweep_warns_of_daemons_that_fell_silent(
    silent: int, warnings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        sweeper(setting(), Neglected(silent=silent)).sweep()

    assert caplog.messages == warnings
