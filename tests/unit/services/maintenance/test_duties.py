"""Duties have turns of their own, whatever becomes of the others; so have their rows."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.engine.errors import StoreUnavailableError, UnreadableSecretError
from app.engine.times import format_utc
from app.services.maintenance.duties import LONGEST_TURN_SECONDS, DueWork, Duties, Duty, start_here, start_thread
from app.services.maintenance.duty_rows import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, DutyRows
from tests.unit.services.service_fakes import FakeClock

NOTHING = DueWork()
NOON = format_utc(FakeClock().now())


@dataclass
class Bench:
    """Duties beside a clock that a test sets."""

    now: float = 0.0
    done: list[tuple[str, float]] = field(default_factory=list)

    def duties(self, *duties: Duty, start: Any = start_here) -> Duties:
        return Duties(duties, clock=FakeClock(), monotonic=lambda: self.now, start=start)

    def does(self, name: str, **more: Any) -> Duty:
        return Duty(name=name, do=lambda: self.done.append((name, self.now)), **more)

    def breaks(self, name: str, error: Callable[[], Exception], **more: Any) -> Duty:
        def do() -> None:
            self.done.append((name, self.now))
            raise error()

        return Duty(name=name, do=do, **more)

    def look(self, duties: Duties, *times: float) -> None:
        for self.now in times:
            duties.begin_due(NOTHING)


def test_duty_has_its_own_rhythm() -> None:
    bench = Bench()

    bench.look(bench.duties(bench.does("a", every_seconds=10)), 0.0, 1.0, 9.9, 10.0, 11.0, 25.0)

    assert bench.done == [("a", 0.0), ("a", 10.0), ("a", 25.0)]


def test_duty_with_more_to_do_goes_on_at_the_next_look() -> None:
    bench, left = Bench(), [True, False, True]
    duty = Duty(name="a", do=lambda: left.pop(0), every_seconds=10)

    bench.look(bench.duties(duty), 0.0, 1.0, 2.0, 3.0)

    assert left == [True]


def test_duty_that_a_look_tells_of_has_a_turn_only_then() -> None:
    bench = Bench()
    duties = bench.duties(bench.does("a", is_due=lambda due: due.units))

    duties.begin_due(DueWork(runs=True))
    duties.begin_due(DueWork(units=True))

    assert len(bench.done) == 1


def test_duty_that_fails_is_told_of_and_tried_later_each_time_beside_the_others() -> None:
    bench = Bench()
    duties = bench.duties(bench.breaks("broken", lambda: ValueError("hunter2")), bench.does("sound"))

    bench.look(duties, *(float(second) for second in range(16)))

    assert [at for name, at in bench.done if name == "broken"] == [0.0, 2.0, 6.0, 14.0]
    assert len([at for name, at in bench.done if name == "sound"]) == 16
    assert duties.faults == {"broken": {"since": NOON, "failures": 4, "error": "ValueError"}}


def test_pause_of_a_duty_that_fails_for_hours_stays_a_minute() -> None:
    bench = Bench()

    bench.look(bench.duties(bench.breaks("broken", ValueError)), *(float(second) for second in range(3600)))

    times = [at for _, at in bench.done]
    assert times[-1] - times[-2] == 60.0


def test_duty_that_works_again_is_well_although_nothing_is_due_any_more() -> None:
    bench, errors = Bench(), [ValueError()]

    def do() -> None:
        if errors:
            raise errors.pop()

    duties = bench.duties(Duty(name="a", do=do, is_due=lambda due: due.triggers))
    duties.begin_due(DueWork(triggers=True))
    told = dict(duties.faults)
    bench.look(duties, 2.0)

    assert list(told) == ["a"]
    assert duties.faults == {}


def test_duty_that_finds_postgres_away_is_tried_at_the_next_look() -> None:
    bench = Bench()
    duties = bench.duties(bench.breaks("a", StoreUnavailableError))

    bench.look(duties, 0.0, 1.0, 2.0)

    assert len(bench.done) == 3
    assert duties.faults == {"a": {"since": NOON, "failures": 1, "error": "StoreUnavailableError"}}


def test_duty_that_hangs_is_told_of_and_holds_up_nobody() -> None:
    bench, is_free, has_ended = Bench(), threading.Event(), threading.Event()

    def hang() -> None:
        is_free.wait()
        bench.done.append(("hanging", bench.now))

    def start(name: str, act: Callable[[], None]) -> None:
        def watched() -> None:
            act()
            has_ended.set()

        start_thread(name, watched) if name == "hanging" else act()

    duties = bench.duties(Duty(name="hanging", do=hang), bench.does("sound"), start=start)
    bench.look(duties, 0.0, LONGEST_TURN_SECONDS)
    told = dict(duties.faults)
    is_waited_for = duties.wait(0.0)
    is_free.set()
    has_ended.wait()

    assert told == {"hanging": {"since": NOON, "failures": 0, "error": "hangs"}}
    assert (is_waited_for, duties.wait(30.0)) == (False, True)
    assert bench.done == [("sound", 0.0), ("sound", LONGEST_TURN_SECONDS), ("hanging", LONGEST_TURN_SECONDS)]
    assert duties.faults == {}


def test_duty_for_which_there_is_no_thread_is_tried_again() -> None:
    bench, threads = Bench(), [RuntimeError("can't start new thread"), None]

    def start(name: str, act: Callable[[], None]) -> None:
        if error := threads.pop(0):
            raise error
        act()

    duties = bench.duties(bench.does("a"), start=start)
    bench.look(duties, 0.0, 2.0)

    assert bench.done == [("a", 2.0)]


def test_row_that_breaks_is_told_to_its_owner_and_skipped_longer_each_time() -> None:
    now, told = [0.0], list[str]()
    rows = DutyRows("duty", monotonic=lambda: now[0])
    pauses = []

    for _ in range(8):
        assert rows.handle("bad", lambda: 1 / 0, report=told.append) is None
        assert rows.handle("good", lambda: "done") == "done"
        assert rows.list_skipped() == ["bad"]
        began = now[0]
        while rows.list_skipped():
            now[0] += 1.0
        pauses.append(now[0] - began)

    doubled = [FIRST_PAUSE_SECONDS * 2**number for number in range(8)]
    assert pauses == [min(seconds, LONGEST_PAUSE_SECONDS) for seconds in doubled]
    assert told == ["it broke with ZeroDivisionError"] * 8


def test_row_that_can_be_handled_again_begins_anew() -> None:
    now = [0.0]
    rows = DutyRows("duty", monotonic=lambda: now[0])

    rows.handle("row", lambda: 1 / 0)
    rows.handle("row", lambda: 1 / 0)
    rows.handle("row", lambda: None)
    rows.handle("row", lambda: 1 / 0)
    now[0] = FIRST_PAUSE_SECONDS

    assert rows.list_skipped() == []


def test_rows_that_failed_long_ago_are_forgotten_by_a_duty_that_skips_none() -> None:
    now = [0.0]
    rows = DutyRows("duty", monotonic=lambda: now[0])

    for number in range(20):
        rows.handle(f"row-{number}", lambda: 1 / 0)
        now[0] += LONGEST_PAUSE_SECONDS

    assert len(rows._paused) <= 2


def test_owner_is_told_what_an_error_of_our_own_says_and_no_other_text() -> None:
    told: list[str] = []
    rows = DutyRows("duty", monotonic=lambda: 0.0)

    def act(error: Exception) -> None:
        raise error

    rows.handle("a", lambda: act(UnreadableSecretError("no key opens it")), report=told.append)
    rows.handle("b", lambda: act(ValueError("hunter2")), report=told.append)
    rows.handle("c", lambda: act(ValueError("hunter2")), report=lambda _: 1 / 0)

    assert told == ["no key opens it", "it broke with ValueError"]
    assert rows.list_skipped() == ["a", "b", "c"]


def test_row_that_finds_postgres_away_lets_the_others_go_first() -> None:
    now, told = [0.0], list[str]()
    rows = DutyRows("duty", monotonic=lambda: now[0])

    def act() -> None:
        raise StoreUnavailableError

    with pytest.raises(StoreUnavailableError):
        rows.handle("a", act, report=told.append)

    assert (rows.list_skipped(), told) == (["a"], [])
    now[0] = 1.0
    assert rows.list_skipped() == []
