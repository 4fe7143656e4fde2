"""A token's requests: never more than its limit in a window, and few questions to the store that counts them."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from app.limits.local_requests import LocalRequests
from app.services.calls.ports import Window
from app.services.calls.request_limits import Allowance, RequestLimits

LIMIT = 100
SECONDS = 10.0


@dataclass
class CountedTrips:
    """Windows on a clock that only tests move; also what the processes of a test share."""

    now: float = 0.0
    trips: int = 0

    def __post_init__(self) -> None:
        self._counts = LocalRequests(window_seconds=SECONDS, monotonic=self.monotonic)

    def monotonic(self) -> float:
        return self.now

    def take(self, requests: Mapping[str, int]) -> Mapping[str, Window]:
        self.trips += 1
        return self._counts.take(requests)

    def process(self, limit: int = LIMIT, environment_limit: int = 0) -> RequestLimits:
        return RequestLimits(
            self.take,
            limit=limit,
            window_seconds=SECONDS,
            monotonic=self.monotonic,
            environment_limit=environment_limit,
        )


def asked(limits: RequestLimits, token_id: str = "t") -> Allowance:
    allowance = limits.ask(token_id)
    assert allowance is not None
    return allowance


def admitted(limits: RequestLimits, times: int, token_id: str = "t") -> int:
    return sum(asked(limits, token_id).is_admitted for _ in range(times))


def test_admits_exactly_the_limit_to_one_process_by_few_trips() -> None:
    counts = CountedTrips()
    limits = counts.process()

    first = asked(limits)
    more = admitted(limits, LIMIT + 50)

    assert (first.remaining, first.limit, first.window_seconds, first.reset_seconds) == (LIMIT - 1, LIMIT, SECONDS, 10)
    assert more == LIMIT - 1
    assert counts.trips < 40


def test_a_large_limit_costs_hardly_any_trips() -> None:
    counts = CountedTrips()
    limits = counts.process(limit=100_000)

    assert admitted(limits, 50_000) == 50_000
    assert counts.trips < 40


def test_refusals_cost_no_trip_and_tell_when_there_are_new_ones() -> None:
    counts = CountedTrips()
    limits = counts.process()
    admitted(limits, LIMIT)
    counts.now = 7.5
    trips = counts.trips

    refused = asked(limits)

    assert (refused.is_admitted, refused.remaining, refused.reset_seconds) == (False, 0, 3)
    assert admitted(limits, 100) == 0
    assert counts.trips == trips


def test_the_next_window_begins_anew() -> None:
    counts = CountedTrips()
    limits = counts.process()
    admitted(limits, LIMIT)
    counts.now = SECONDS

    assert admitted(limits, 2 * LIMIT) == LIMIT


def test_each_token_has_its_own() -> None:
    limits = CountedTrips().process()
    admitted(limits, LIMIT)

    assert admitted(limits, LIMIT, "another") == LIMIT


def test_no_limit_is_asked_of_nobody() -> None:
    counts = CountedTrips()

    assert counts.process(limit=0).ask("t") is None
    assert counts.trips == 0


def test_tokens_whose_windows_have_ended_are_forgotten() -> None:
    counts = CountedTrips()
    limits = counts.process()
    for number in range(1000):
        asked(limits, str(number))
    counts.now = SECONDS
    asked(limits, "the last")

    assert admitted(limits, LIMIT, "0") == LIMIT


@given(turn_of=st.randoms(use_true_random=False), weights=st.lists(st.integers(1, 50), min_size=4, max_size=4))
def test_processes_never_admit_more_than_the_limit_and_hold_back_little(turn_of: Random, weights: list[int]) -> None:
    turns = turn_of.choices(range(4), weights, k=300)
    counts = CountedTrips()
    processes = [counts.process() for _ in range(4)]

    outcomes = [(turn, asked(processes[turn]).is_admitted) for turn in turns]

    passed = [sum(is_admitted for turn, is_admitted in outcomes if turn == number) for number in range(4)]
    assert sum(passed) <= LIMIT
    assert sum(passed) >= LIMIT - sum(min(count, LIMIT // 20) for count in passed)


def asked_by(limits: RequestLimits, token_id: str, environment_id: str = "e") -> Allowance:
    allowance = limits.ask(token_id, environment_id)
    assert allowance is not None
    return allowance


def test_many_tokens_of_an_environment_share_its_limit_and_take_it_from_no_other() -> None:
    limits = CountedTrips().process(environment_limit=2 * LIMIT)

    passed = [asked_by(limits, f"minted {number % 50}").is_admitted for number in range(1000)]
    refused = asked_by(limits, "one more")

    assert sum(passed) == 2 * LIMIT
    assert (refused.is_admitted, refused.of_environment, refused.limit) == (False, True, 2 * LIMIT)
    assert asked_by(limits, "a stranger", "another").is_admitted


def test_a_token_that_is_used_up_takes_nothing_from_its_environment() -> None:
    counts = CountedTrips()
    limits = counts.process(environment_limit=2 * LIMIT)

    greedy = [asked_by(limits, "greedy") for _ in range(10 * LIMIT)]

    assert sum(one.is_admitted for one in greedy) == LIMIT
    assert not greedy[-1].of_environment
    assert sum(asked_by(limits, "modest").is_admitted for _ in range(LIMIT)) == LIMIT


def test_a_limit_of_environments_alone_is_kept_and_told() -> None:
    limits = CountedTrips().process(limit=0, environment_limit=3)

    assert [asked_by(limits, str(number)).is_admitted for number in range(5)] == [True, True, True, False, False]
    assert limits.ask("without one") is None


def test_the_environment_is_counted_in_the_trip_of_the_token() -> None:
    alone, both = CountedTrips(), CountedTrips()
    for number in range(200):
        asked(alone.process(), str(number))
    limits = both.process(environment_limit=100_000)

    for number in range(200):
        asked_by(limits, str(number))

    assert both.trips == alone.trips == 200


@given(turn_of=st.randoms(use_true_random=False))
def test_processes_together_never_admit_more_than_the_limit_of_an_environment(turn_of: Random) -> None:
    counts = CountedTrips()
    processes = [counts.process(environment_limit=LIMIT) for _ in range(4)]

    passed = sum(asked_by(turn_of.choice(processes), str(turn_of.randrange(20))).is_admitted for _ in range(300))

    assert LIMIT - 4 * LIMIT // 20 <= passed <= LIMIT
