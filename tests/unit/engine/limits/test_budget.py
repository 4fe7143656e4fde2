"""What holds for every budget, whatever processes report."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.limits import budget_state
from app.engine.limits.budget import exchange
from app.engine.limits.budget_state import Answers, Budget, BudgetLimits, Quota, Report, new_budget

NOW = 1_700_000_000.0
LIMITS = BudgetLimits(most=20, start=8)

SECONDS = st.floats(min_value=0, max_value=100)
STEPS = st.tuples(
    st.sampled_from(["p", "q", "r"]),
    st.floats(min_value=0, max_value=40),
    st.builds(
        Report,
        wanted=st.integers(0, 30),
        served=st.integers(0, 20),
        refused=st.integers(0, 20),
        late_refused=st.integers(0, 3),
        trouble_sent_at=SECONDS.map(lambda seconds: NOW + seconds),
        wait_seconds=st.none() | SECONDS,
        is_slow=st.booleans(),
        is_full=st.booleans(),
        quota=st.none() | st.builds(Quota, left=st.integers(0, 9), size=st.none() | st.integers(0, 9), until=SECONDS),
    ),
)


@given(steps=st.lists(STEPS, max_size=30), pace=st.none() | st.floats(min_value=0.02, max_value=500))
def test_no_report_leads_out_of_bounds(steps: list[tuple[str, float, Report]], pace: float | None) -> None:
    limits = replace(LIMITS, pace=pace)
    budget, now = new_budget(limits), NOW

    for process, seconds, report in steps:
        now += seconds
        told = replace(report.quota, until=now + report.quota.until) if report.quota else None
        budget, grant = exchange(budget, replace(report, quota=told), process=process, now=now, limits=limits)

        assert 1 <= budget.window <= limits.most
        assert 0 <= grant.slots <= min(report.wanted, limits.most)
        assert budget.pace is None or budget.pace >= 1 / 60
        assert grant.starts is None or list(grant.starts) == sorted(grant.starts)
        assert grant.starts is None or len(grant.starts) <= grant.slots
        assert budget.not_before <= now + 100
        assert budget_state.read_budget(budget_state.write_budget(budget)) == budget


@given(wanted=st.lists(st.integers(1, 40), min_size=2, max_size=6), rounds=st.integers(2, 4))
def test_processes_never_hold_more_than_the_window_and_none_starves(wanted: list[int], rounds: int) -> None:
    budget: Budget = new_budget(LIMITS)
    granted = [0] * len(wanted)

    for turn in range(rounds * len(wanted)):
        number = turn % len(wanted)
        report = Report(wanted=wanted[number], in_flight=min(granted))
        budget, grant = exchange(budget, report, process=str(number), now=NOW + turn / 100, limits=LIMITS)
        granted[number] = grant.slots

    assert sum(granted) <= 8
    assert all(slots >= 1 for slots in granted)


@pytest.mark.parametrize(("jump", "window"), [(-3600.0, 8), (3600.0, 4)])
def test_a_clock_that_jumps_back_starts_anew(jump: float, window: int) -> None:
    refused = Report(wanted=1, refused=1, trouble_sent_at=NOW, wait_seconds=30.0)
    budget, _ = exchange(new_budget(LIMITS), refused, process="p", now=NOW, limits=LIMITS)

    budget, grant = exchange(budget, Report(wanted=1), process="p", now=NOW + jump, limits=LIMITS)

    assert int(budget.window) == window
    assert grant.not_before <= NOW + jump


@pytest.mark.parametrize(
    ("default", "waits"),
    [
        (None, [1, 2, 4, 8, 16, 32, 64, 64]),
        (60.0, [60, 120, 240, 480, 960, 1800, 1800, 1800]),
        (2000.0, [2000] * 8),
    ],
)
def test_each_refusal_that_tells_no_wait_doubles_it(default: float | None, waits: list[float]) -> None:
    budget, now, found = new_budget(LIMITS), NOW, []

    for _ in waits:
        report = Report(wanted=1, refused=1, trouble_sent_at=now, default_wait_seconds=default)
        budget, grant = exchange(budget, report, process="p", now=now, limits=LIMITS)
        found.append(grant.not_before - now)
        now = grant.not_before + 0.1

    assert found == pytest.approx(waits)


def test_an_answer_between_two_refusals_begins_with_the_default_wait_anew() -> None:
    refused = Report(wanted=1, refused=1, trouble_sent_at=NOW, default_wait_seconds=60.0)
    budget, _ = exchange(new_budget(LIMITS), refused, process="p", now=NOW, limits=LIMITS)
    budget, _ = exchange(budget, replace(refused, trouble_sent_at=NOW + 61), process="p", now=NOW + 61, limits=LIMITS)
    served = Report(wanted=1, served=1, trouble_sent_at=NOW + 200)
    budget, _ = exchange(budget, served, process="p", now=NOW + 200, limits=LIMITS)

    again = replace(refused, trouble_sent_at=NOW + 210)
    budget, grant = exchange(budget, again, process="p", now=NOW + 210, limits=LIMITS)

    assert grant.not_before - (NOW + 210) == pytest.approx(60)


REFUSED = Report(wanted=1, served=1, refused=1, trouble_sent_at=NOW)
NOISE = Answers(served=45.0, refused=5.0)


@pytest.mark.parametrize(
    ("fast", "slow", "is_kept"),
    [
        pytest.param(NOISE, NOISE, True, id="as many at half the pace"),
        pytest.param(Answers(served=30.0, refused=20.0), NOISE, False, id="fewer at half the pace"),
        pytest.param(NOISE, Answers(served=50.0), False, id="none at half the pace"),
        pytest.param(NOISE, Answers(served=3.0, refused=1.0), False, id="half the pace was hardly tried"),
        pytest.param(Answers(served=50.0), NOISE, False, id="none when it was faster"),
    ],
)
@pytest.mark.parametrize(
    ("is_probing", "report"), [(False, REFUSED), (True, Report(wanted=1, served=1))], ids=["refused", "served again"]
)
def test_a_pace_is_kept_while_half_of_it_is_refused_as_often(
    fast: Answers, slow: Answers, is_kept: bool, is_probing: bool, report: Report
) -> None:
    judged = replace(new_budget(LIMITS), pace=8.0, limit_pace=8.0, judged_pace=10.0, fast=fast, slow=slow)
    since = replace(
        judged, epoch_at=NOW - 10, closed_at=NOW - 7, not_before=NOW, opened_at=NOW - 20, opened_served=40.0
    )
    known = replace(since, served=40.0, refused=2, grow_at=NOW + 5, is_probing=is_probing, saved_at=NOW)

    budget, _ = exchange(known, report, process="p", now=NOW, limits=LIMITS)

    assert budget.pace is not None
    assert (budget.pace == pytest.approx(8.0)) is is_kept
    assert not budget.is_probing


@pytest.mark.parametrize(
    ("pace", "recent", "is_anew"),
    [
        pytest.param(8.0, Answers(served=10.0, refused=9.0), True, id="nearly half are refused"),
        pytest.param(8.0, Answers(served=14.0, refused=5.0), False, id="as many as at half the pace, by chance"),
        pytest.param(8.0, Answers(served=17.0, refused=2.0), False, id="few are refused"),
        pytest.param(4.0, Answers(served=12.0, refused=7.0), True, id="more at half the pace"),
        pytest.param(4.0, Answers(served=2.0, refused=2.0), False, id="few answers"),
    ],
)
def test_refusals_are_judged_anew_when_only_a_limit_explains_them(pace: float, recent: Answers, is_anew: bool) -> None:
    judged = replace(
        new_budget(LIMITS), pace=pace, judged_pace=10.0, recent=recent, slow=Answers(served=40.0, refused=6.0)
    )
    known = replace(judged, fast=Answers(served=50.0, refused=6.0), grow_at=NOW + 5, saved_at=NOW, epoch_at=NOW)

    budget, _ = exchange(known, Report(wanted=1, served=1), process="p", now=NOW, limits=LIMITS)

    assert (budget.judged_pace is None) is is_anew


def test_a_pace_that_is_refused_as_often_at_half_of_it_is_soon_tried_out() -> None:
    judged = replace(
        new_budget(LIMITS), pace=10.0, limit_pace=10.0, judged_pace=10.0, fast=NOISE, slow=NOISE, evidence=5.0
    )
    known = replace(judged, grow_at=NOW - 1, saved_at=NOW, epoch_at=NOW)

    budget, _ = exchange(known, Report(wanted=9, served=1), process="p", now=NOW, limits=LIMITS)

    assert budget.pace == pytest.approx(11.0)


@pytest.mark.parametrize(("strikes", "wait"), [(5, 2.0), (12, 64.0)])
def test_waits_fit_the_time_of_a_known_limit_until_many_are_refused_in_a_row(strikes: int, wait: float) -> None:
    known = replace(new_budget(LIMITS), pace=2.0, period=10.0, strikes=strikes, is_probing=True, saved_at=NOW)

    budget, _ = exchange(known, replace(REFUSED, served=0), process="p", now=NOW, limits=LIMITS)

    assert budget.not_before - NOW == pytest.approx(wait)


def test_no_pace_is_learned_of_a_limit_over_a_long_time() -> None:
    closed = replace(new_budget(LIMITS), epoch_at=NOW - 500, served=50.0, refused=2, is_probing=True, saved_at=NOW)
    known = replace(closed, closed_at=NOW - 300, not_before=NOW, opened_at=NOW - 500)

    budget, _ = exchange(known, Report(wanted=1, served=1), process="p", now=NOW, limits=LIMITS)

    assert budget.pace is None
    assert not budget.is_probing


def test_a_budget_that_is_reopened_tries_one_request_at_once() -> None:
    closed = replace(new_budget(LIMITS), pace=2.0, not_before=NOW + 60, next_at=NOW + 60, saved_at=NOW)

    budget, grant = exchange(budget_state.reopen(closed), Report(wanted=5), process="p", now=NOW, limits=LIMITS)

    assert grant.starts == (NOW,)
    assert budget.pace == pytest.approx(2.0)
