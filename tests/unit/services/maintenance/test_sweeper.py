"""What the leader repairs: lost messages, lost rings, unsettled runs; and how it looks for them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest

from app.engine.errors import StoreUnavailableError
from app.engine.runs.work import WakeUp
from app.engine.status import RunStatus
from app.services.maintenance.duties import DueWork, Duties, Duty, start_here
from app.services.maintenance.landing import RunLanding
from app.services.maintenance.ports import LostBefore
from app.services.maintenance.sweeper import BATCH, SweepDuties, Sweeper
from tests.unit.services.service_fakes import FakeClock
from tests.unit.services.service_moves import resource_state
from tests.unit.services.service_setting import Setting, setting

T = TypeVar("T")
DUE = WakeUp(run_id="run", unit_id="unit", queue="rapid-bridge")


@dataclass
class Neglected:
    """All that waits in vain: each duty takes its share away."""

    units: list[WakeUp] = field(default_factory=list)
    runs: list[tuple[str, str]] = field(default_factory=list)
    unsettled_runs: list[str] = field(default_factory=list)
    landed_runs: list[str] = field(default_factory=list)
    messages: list[tuple[str, str, list[str], str]] = field(default_factory=list)
    looks: list[bool] = field(default_factory=list)
    """How thorough each look was."""
    limits: list[int] = field(default_factory=list)
    """How many units were asked for at once."""
    rung: dict[str, WakeUp] = field(default_factory=dict)
    rung_runs: dict[str, str] = field(default_factory=dict)
    is_hidden: bool = False
    """A look sees nothing, although there is something."""
    look_breaks_by: Exception | None = None

    def find_due_work(self, *, is_thorough: bool) -> DueWork:
        self.looks.append(is_thorough)
        if self.look_breaks_by is not None:
            raise self.look_breaks_by
        if self.is_hidden:
            return DueWork()
        return DueWork(
            messages=bool(self.messages),
            units=bool(self.units),
            landing=bool(self.landed_runs),
            runs=is_thorough and bool(self.runs),
            unsettled=is_thorough and bool(self.unsettled_runs),
        )

    def publish_waiting(
        self,
        publish: Callable[[str, str, list[str], str], bool | None],
        *,
        older_than_seconds: float,
        limit: int,
        skipped: Sequence[str],
    ) -> int:
        waiting = [message for message in self.messages if message[0] not in skipped]
        for message in waiting:
            was_taken = publish(*message)
            if was_taken is False:
                break
            if was_taken:
                self.messages.remove(message)
        return len(waiting)

    def find_unsettled(self, *, limit: int, skipped: Sequence[str]) -> list[str]:
        return [run_id for run_id in self.unsettled_runs if run_id not in skipped][:limit]


def split(waiting: Sequence[T], is_due: Callable[[T], bool], limit: int) -> tuple[list[T], list[T]]:
    """Return those that are due, as many as may be, and the others."""
    due: list[T] = []
    rest: list[T] = []
    for one in waiting:
        (due if len(due) < limit and is_due(one) else rest).append(one)
    return due, rest


@dataclass
class FakeDueUnits:
    """Units that somebody should look at."""

    neglected: Neglected

    def find_due_queues(self, *, ring_after_seconds: float) -> Sequence[str]:
        return sorted({dispatch.queue for dispatch in self.neglected.units})

    def dispatch_due(self, lost: Mapping[str, LostBefore], *, ring_after_seconds: float, limit: int) -> list[WakeUp]:
        self.neglected.limits.append(limit)
        due, self.neglected.units = split(self.neglected.units, lambda one: one.queue in lost, limit)
        self.neglected.rung |= {dispatch.unit_id: dispatch for dispatch in due}
        return due

    def redispatch(self, unit_ids: Sequence[str]) -> None:
        self.neglected.units += [self.neglected.rung[id] for id in unit_ids]


@dataclass
class FakeDueRuns:
    """Runs that somebody should look at."""

    neglected: Neglected

    def find_due_queues(self, *, ring_after_seconds: float) -> Sequence[str]:
        return sorted({queue for _, queue in self.neglected.runs})

    def dispatch_due(
        self, lost: Mapping[str, LostBefore], *, ring_after_seconds: float, limit: int
    ) -> list[tuple[str, str]]:
        due, self.neglected.runs = split(self.neglected.runs, lambda one: one[1] in lost, limit)
        self.neglected.rung_runs |= dict(due)
        return due

    def redispatch(self, run_ids: Sequence[str]) -> None:
        self.neglected.runs += [(id, self.neglected.rung_runs[id]) for id in run_ids]


def sweeper(here: Setting, neglected: Neglected, *others: Duty) -> Sweeper:
    sweeping = SweepDuties(
        units=FakeDueUnits(neglected),
        runs=FakeDueRuns(neglected),
        find_unsettled=neglected.find_unsettled,
        publish_waiting=neglected.publish_waiting,
        lifecycle=here.lifecycle(),
        dispatcher=here.dispatcher,
        settings=here.settings,
        monotonic=lambda: 0.0,
    )
    duties = Duties([*sweeping.build_duties(), *others], clock=FakeClock(), monotonic=lambda: 0.0, start=start_here)
    return Sweeper(look=neglected.find_due_work, duties=duties)


def test_sweep_rings_for_what_waits() -> None:
    here = setting()

    sweeper(here, Neglected(units=[DUE], runs=[("r1", "q1"), ("r2", "q2")])).sweep()

    assert here.dispatcher.wake_ups == [DUE]
    assert here.dispatcher.runs == [("r1", "q1"), ("r2", "q2")]


def test_sweep_publishes_promised_messages() -> None:
    here = setting()
    neglected = Neglected(messages=[("1", "start", ["r1"], "q")])

    sweeper(here, neglected).sweep()

    assert here.dispatcher.tasks == [("start", ["r1"], "q")]
    assert neglected.messages == []


def test_sweep_keeps_messages_that_the_broker_does_not_take() -> None:
    here = setting()
    here.dispatcher.is_broken = True
    neglected = Neglected(messages=[("1", "start", ["r1"], "q")])

    sweeper(here, neglected).sweep()

    assert neglected.messages == [("1", "start", ["r1"], "q")]


def test_sweep_settles_runs_that_nobody_settled() -> None:
    here = setting()
    here.moves.resources = [resource_state()]

    sweeper(here, Neglected(unsettled_runs=["run"])).sweep()

    assert here.runs.rows["run"].status is RunStatus.COMPLETED


def test_sweep_settles_runs_whose_destinations_have_passed_them() -> None:
    here = setting(run_fields={"wait_for_destinations": True})
    here.moves.resources = [resource_state()]

    landing = RunLanding(
        find_landed=lambda **_: ["run"], lifecycle=here.lifecycle(), limit_seconds=1.0, monotonic=lambda: 0.0
    )
    sweeper(here, Neglected(landed_runs=["run"]), landing.build_duty()).sweep()

    assert here.runs.rows["run"].status is RunStatus.COMPLETED


def test_sweep_asks_for_nothing_that_is_not_due() -> None:
    here = setting()

    sweeper(here, Neglected(units=[DUE], runs=[("r1", "q1")], messages=[("1", "t", [], "q")], is_hidden=True)).sweep()

    assert (here.dispatcher.wake_ups, here.dispatcher.runs, here.dispatcher.tasks) == ([], [], [])


def test_sweep_looks_for_lost_messages_at_each_fifth_sweep() -> None:
    neglected = Neglected()
    sweeping = sweeper(setting(), neglected)

    for _ in range(11):
        sweeping.sweep()

    assert [number for number, is_thorough in enumerate(neglected.looks) if is_thorough] == [0, 5, 10]


def test_queue_of_thousands_that_was_lost_is_rung_in_one_sweep() -> None:
    here = setting()
    runs = [(f"r{number}", "q") for number in range(2 * BATCH + 1)]

    sweeper(here, Neglected(runs=runs, units=[DUE] * (BATCH + 1))).sweep()

    assert here.dispatcher.runs == runs
    assert len(here.dispatcher.wake_ups) == BATCH + 1


def test_look_that_breaks_has_every_duty_look_for_itself() -> None:
    here, done = setting(), list[str]()
    neglected = Neglected(runs=[("r1", "q")], look_breaks_by=ValueError("a secret"))
    sweeping = sweeper(here, neglected, Duty(name="other", do=lambda: done.append("other")))

    sweeping.sweep()
    told = sweeping.faults
    neglected.look_breaks_by = None
    sweeping.sweep()

    assert here.dispatcher.runs == [("r1", "q")]
    assert done == ["other", "other"]
    assert (told, sweeping.faults) == ({"looking": {"error": "ValueError"}}, {})
    assert sweeping.wait(0.0)


def test_sweep_tells_that_postgres_is_away() -> None:
    done: list[str] = []
    other = Duty(name="other", do=lambda: done.append("other"))

    with pytest.raises(StoreUnavailableError):
        sweeper(setting(), Neglected(look_breaks_by=StoreUnavailableError()), other).sweep()

    assert done == []


def test_row_that_breaks_its_duty_is_told_at_its_run_and_the_others_are_handled() -> None:
    here, others = setting(), [WakeUp(run_id="other", unit_id="other", queue="q")]
    here.dispatcher.breaks_for = "run"
    neglected = Neglected(
        units=[DUE, *others],
        runs=[("run", "q"), ("other", "q")],
        messages=[("1", "start", ["run"], "q"), ("2", "start", ["other"], "q")],
        unsettled_runs=["broken", "run"],
    )
    here.moves.breaks_for = "broken"
    here.runs.add(replace(here.runs.rows["run"], id="broken"))
    here.moves.resources = [resource_state()]

    sweeper(here, neglected).sweep()

    assert (here.dispatcher.wake_ups, here.dispatcher.runs) == (others, [("other", "q")])
    assert here.dispatcher.tasks == [("start", ["other"], "q")]
    assert neglected.messages == [("1", "start", ["run"], "q")]
    assert here.runs.rows["run"].status is RunStatus.COMPLETED
    # Three duties break at the one run by the same fault, which is recorded once; another one at the broken run.
    assert [error.code for error in here.moves.errors] == ["unhandled"] * 2


def test_queue_that_is_refused_holds_up_no_other_at_any_turn() -> None:
    """RabbitMQ refuses one queue, which was declared otherwise; its rows are the first of each batch."""
    here = setting()
    here.dispatcher.breaks_for = "refused"
    refused = [WakeUp(run_id="refused", unit_id="refused", queue="refused")]
    neglected = Neglected(units=[*refused, DUE], runs=[("refused", "refused"), ("r1", "q")])
    sweeping = sweeper(here, neglected)

    sweeping.sweep()
    neglected.units, neglected.runs = [*refused, DUE], [("refused", "refused"), ("r2", "q")]
    for _ in range(5):
        sweeping.sweep()

    assert neglected.limits == [BATCH] * len(neglected.limits)
    assert (here.dispatcher.wake_ups, here.dispatcher.runs) == ([DUE, DUE], [("r1", "q"), ("r2", "q")])


def test_turn_of_ringing_comes_to_an_end_however_much_waits() -> None:
    here = setting()
    neglected = Neglected(units=[DUE] * 50 * BATCH, runs=[("r", "q")] * 50 * BATCH)

    sweeper(here, neglected).sweep()

    assert len(neglected.units) == len(neglected.runs) == 10 * BATCH


def test_rings_that_the_broker_did_not_take_are_due_again_and_one_is_tried_first() -> None:
    here = setting()
    neglected = Neglected(units=[DUE, replace(DUE, unit_id="other")], runs=[("run", "rapid-bridge")])
    sweep = sweeper(here, neglected)
    here.dispatcher.is_full = True

    sweep.sweep()
    assert ([dispatch.unit_id for dispatch in neglected.units], neglected.runs) == (
        ["unit", "other"],
        [("run", "rapid-bridge")],
    )
    sweep.sweep()
    here.dispatcher.is_full = False
    sweep.sweep()

    assert neglected.limits == [BATCH, 1, 1, BATCH]
    assert here.dispatcher.unit_ids == ["other", "unit"]
