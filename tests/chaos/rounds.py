"""Play one round: two runs, a fault in the middle of them, and the reckoning afterwards."""

import random
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from threading import Thread

from app.client import ApiError
from tests.chaos.arena import LEASE_SECONDS, REQUESTS_IN_FLIGHT, Arena, Round
from tests.chaos.scenarios import Scenario
from tests.chaos.sync_under_fire import SyncUnderFire, Toll, assert_none
from tests.support.patience import wait_for
from tests.support.reached_ahead import count_repeated_by_a_crash

Arrivals = Sequence[tuple[float, int]]
"""When how many records arrived."""

_STANDSTILL_SECONDS = 1.0
_MEASURABLE = 0.2
"""Of the time that undisturbed runs take: when less is expected after the recovery, its throughput says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a round has shown; that nothing was lost or doubled is asserted, not told."""

    scenario: str
    seed: int
    seconds: float
    kills: int
    interruptions: int
    records: int
    repeated: int
    """Upstream requests made again."""
    repeated_deliveries: int
    recovery_seconds: float
    throughput: float | None
    """Of the time after the recovery, relative to the same part of undisturbed runs; None when it was too short."""
    story: str


def play(arena: Arena, scenario: Scenario, seed: int, undisturbed: Sequence[Arrivals] = ()) -> Outcome:
    """Play a round of a scenario; AssertionError tells what was lost."""
    arena.make_whole()
    dice, began = random.Random(seed), time.monotonic()
    round = Round(arena=arena, dice=dice, runs=arena.begin(dice))
    try:
        round.reach(dice.uniform(*scenario.begin_at))
        tolls, lifted, recovered = _fight(round, scenario)
    finally:
        round.ends.close()
    for toll in tolls:
        assert_few_repeats(toll, round.interruptions, pauses=round.pauses)
    arena.clear(round.runs)
    return Outcome(
        scenario=scenario.name,
        seed=seed,
        seconds=time.monotonic() - began,
        kills=round.kills,
        interruptions=round.interruptions,
        records=sum(toll.records for toll in tolls),
        repeated=sum(toll.repeated.total() for toll in tolls),
        repeated_deliveries=sum(toll.repeated_deliveries for toll in tolls),
        recovery_seconds=max(0.0, recovered - lifted),
        throughput=_throughput([toll.arrivals for toll in tolls], recovered, undisturbed)
        if undisturbed and not scenario.stops
        else None,
        story=", ".join(round.story),
    )


def measure_undisturbed(arena: Arena, seed: int) -> list[Arrivals]:
    """Play a round without a fault; give the arrivals of each run."""
    arena.make_whole()
    runs = arena.begin(random.Random(seed))
    tolls = [run.judge() for run in runs]
    for toll in tolls:
        repeated = [(unit, times, toll.way.method) for unit, times in toll.repeated.items() if times]
        assert_none("repeated undisturbed", repeated)
    arena.clear(runs)
    return [toll.arrivals for toll in tolls]


def seconds_of(arrivals: Arrivals) -> float:
    """Tell how long records kept coming."""
    return arrivals[-1][0] - arrivals[0][0]


def assert_few_repeats(toll: Toll, interruptions: int, *, pauses: int) -> None:
    """Assert the bound of docs/decisions/0003 for each time that a daemon lost its hold on what it had.

    A listing by cursor has one page that is being written, and the next one; one that is read side by side has its
    window. Only a daemon that was frozen while it sent a delivery may bring it again out of its order.
    """
    of_parents, of_children = (
        toll.way.most_repeats(REQUESTS_IN_FLIGHT),
        count_repeated_by_a_crash(REQUESTS_IN_FLIGHT),
    )
    most = {unit: (of_parents if unit == "parents" else of_children) for unit in toll.repeated}
    over = [(unit, times) for unit, times in toll.repeated.items() if times > interruptions * most[unit]]
    assert_none(f"repeated too often for {interruptions} interruptions", over)
    assert toll.repeated_deliveries <= interruptions, toll.repeated_deliveries
    assert toll.late_deliveries <= pauses, toll.late_deliveries


def _fight(round: Round, scenario: Scenario) -> tuple[list[Toll], float, float]:
    """Strike, wait for the recovery, judge; give the tolls, when the cause was gone, and when its effects were."""
    stopped = round.runs if scenario.stops else []
    stops = [Thread(target=_stop, args=[round, run, round.dice.uniform(0, 1.5)]) for run in stopped]
    struck, before = time.monotonic(), round.units_under_way()
    for stop in stops:
        stop.start()
    scenario.strike(round)
    lifted, after = time.monotonic(), round.units_under_way()
    wait_for(lambda: before() and after() and round.child("api").is_ready(), what="the recovery")
    recovered = time.monotonic()
    for stop in stops:
        stop.join()
    if scenario.stops:
        return _judge_stopped(round), lifted, recovered
    tolls = [run.judge() for run in round.runs]
    return tolls, lifted, max(recovered, *(_end_of_standstill(toll.arrivals, struck) for toll in tolls))


def _end_of_standstill(arrivals: Arrivals, struck: float) -> float:
    """Tell when a run's records came again after the last time that none came for long; 0.0 if they always came."""
    times = [struck, *(at for at, _ in arrivals if at > struck)]
    return max((later for at, later in pairwise(times) if later - at > _STANDSTILL_SECONDS), default=0.0)


def _stop(round: Round, run: SyncUnderFire, delay: float) -> None:
    """Stop a run as soon as the API can be reached, and note what it had by then."""
    time.sleep(delay)

    def is_stopped() -> bool:
        try:
            run.sync.api.patch(f"/sync-job-run/{run.run_id}", {"status": "stopped"})
        except ApiError:
            return run.is_over
        return True

    wait_for(is_stopped, what="a stop")
    round.rows_at_stop[run.run_id] = round.row_count(run)


def _judge_stopped(round: Round) -> list[Toll]:
    """Assert that what was stopped stayed so, and that nothing landed afterwards."""
    tolls = []
    round.arena.make_whole()
    for run in round.runs:
        run.wait_for_end()
        if run.status == "completed":
            tolls.append(run.judge())
            continue
        run.wait_until_quiet(LEASE_SECONDS + 1)
        assert run.status == "stopped"
        assert round.row_count(run) == round.rows_at_stop[run.run_id]
        assert run.tells_its_end_last
    return tolls


def _throughput(arrivals: Sequence[Arrivals], recovered: float, undisturbed: Sequence[Arrivals]) -> float | None:
    """Compare how long the rest took after the recovery with how long the slower run's same rest takes undisturbed."""
    expected = max(
        _rest_seconds(own, sum(records for at, records in here if at <= recovered))
        for here, own in zip(arrivals, undisturbed, strict=True)
    )
    if expected < _MEASURABLE * max(seconds_of(own) for own in undisturbed):
        return None
    return expected / (max(here[-1][0] for here in arrivals) - recovered)


def _rest_seconds(arrivals: Arrivals, records: int) -> float:
    """Tell how long a run took from so many records on."""
    sums = list(accumulate(number for _, number in arrivals))
    same = min(bisect_left(sums, records), len(arrivals) - 1)
    return arrivals[-1][0] - arrivals[same][0]
