"""What the leader repairs: lost messages, lost rings, unsettled runs, silent daemons."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from service_moves import resource_state
from service_setting import Setting, setting

from app.engine.status import RunStatus
from app.engine.work import Ring
from app.services.sweeping import Chore, DueWork, Sweeper

DUE = Ring(run_id="run", unit_id="unit", queue="rapid-bridge")


@dataclass
class Neglected:
    """All that waits in vain: each duty takes its share away."""

    units: list[Ring] = field(default_factory=list)
    runs: list[tuple[str, str]] = field(default_factory=list)
    unsettled_runs: list[str] = field(default_factory=list)
    messages: list[tuple[str, list[str], str]] = field(default_factory=list)
    triggers: int = 0
    announcements: int = 0
    looks: list[bool] = field(default_factory=list)
    """How thorough each look was."""
    is_hidden: bool = False
    """A look sees nothing, although there is something."""

    def look(self, *, is_thorough: bool) -> DueWork:
        self.looks.append(is_thorough)
        if self.is_hidden:
            return DueWork()
        return DueWork(
            messages=bool(self.messages),
            triggers=bool(self.triggers),
            announcements=bool(self.announcements),
            units=bool(self.units),
            runs=is_thorough and bool(self.runs),
            unsettled=is_thorough and bool(self.unsettled_runs),
        )

    def send_due(self) -> None:
        self.announcements -= 1

    def fire_due(self) -> None:
        self.triggers -= 1

    def unsettled(self, *, limit: int) -> list[str]:
        return self.unsettled_runs[:limit]

    def publish_waiting(
        self, publish: Callable[[str, list[str], str], bool], *, older_than_seconds: float, limit: int
    ) -> int:
        before = len(self.messages)
        while self.messages and publish(*self.messages[0]):
            self.messages.pop(0)
        return before - len(self.messages)


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


def sweeper(here: Setting, neglected: Neglected, *chores: Chore) -> Sweeper:
    return Sweeper(
        look=neglected,
        units=DueUnits(neglected),
        runs=DueRuns(neglected),
        messages=neglected,
        triggers=neglected,
        announcements=neglected,
        tracking=here.tracking(),
        bell=here.bell,
        settings=here.settings,
        chores=chores,
    )


def test_sweep_rings_for_what_waits() -> None:
    here = setting()

    sweeper(here, Neglected(units=[DUE], runs=[("r1", "q1"), ("r2", "q2")])).sweep()

    assert here.bell.rings == [DUE]
    assert here.bell.runs == [("r1", "q1"), ("r2", "q2")]


def test_sweep_fires_triggers_whose_time_has_come() -> None:
    neglected = Neglected(triggers=1)
    sweeping = sweeper(setting(), neglected)

    sweeping.sweep()
    sweeping.sweep()

    assert neglected.triggers == 0


def test_sweep_sends_events_of_no_run() -> None:
    neglected = Neglected(announcements=1)
    sweeping = sweeper(setting(), neglected)

    sweeping.sweep()
    sweeping.sweep()

    assert neglected.announcements == 0


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


def test_sweep_asks_for_nothing_that_is_not_due() -> None:
    here = setting()

    sweeper(here, Neglected(units=[DUE], runs=[("r1", "q1")], messages=[("t", [], "q")], is_hidden=True)).sweep()

    assert (here.bell.rings, here.bell.runs, here.bell.tasks) == ([], [], [])


def test_sweep_looks_for_lost_messages_at_each_fifth_sweep() -> None:
    neglected = Neglected()
    sweeping = sweeper(setting(), neglected)

    for _ in range(11):
        sweeping.sweep()

    assert [number for number, is_thorough in enumerate(neglected.looks) if is_thorough] == [0, 5, 10]


def test_chore_is_done_in_its_own_rhythm() -> None:
    now, done = [0.0], []
    sweeping = sweeper(
        setting(), Neglected(), Chore(lambda: done.append(now[0]), every_seconds=10, monotonic=lambda: now[0])
    )

    for now[0] in (0.0, 1.0, 9.9, 10.0, 11.0, 25.0):
        sweeping.sweep()

    assert done == [0.0, 10.0, 25.0]


def test_chore_that_fails_lets_the_others_have_their_turn() -> None:
    done: list[str] = []
    broken = Chore(lambda: 1 / 0, every_seconds=10, monotonic=lambda: 5.0)
    sound = Chore(lambda: done.append("sound"), every_seconds=10, monotonic=lambda: 5.0)
    sweeping = sweeper(setting(), Neglected(), broken, sound)

    with pytest.raises(ZeroDivisionError):
        sweeping.sweep()
    sweeping.sweep()

    assert done == ["sound"]
