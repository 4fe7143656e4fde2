"""Requests that hang are sent once more: few of them, and never two answers."""

import asyncio

import pytest

from app.engine.limits.headers import RateLimitHeaders
from app.sources.limiter import hedging
from app.sources.limiter.hedging import Hedging
from tests.unit.sources.simulated_fleet import Fleet, simulate


def known(*seconds: float) -> Hedging:
    late = Hedging()
    for one in seconds:
        late.record_answer("things.list", one)
    return late


def test_nobody_knows_what_is_late_before_answers_came() -> None:
    assert known(*[0.2] * 19).late_seconds("things.list") is None
    assert known(*[0.2] * 60).late_seconds("others.list") is None


def test_late_is_far_beyond_what_is_usual() -> None:
    assert known(*[0.2] * 60).late_seconds("things.list") == pytest.approx(0.6)
    assert known(*[0.01] * 60).late_seconds("things.list") == 0.3
    assert known(*[0.2] * 50, *[2.0] * 10).late_seconds("things.list") == pytest.approx(6.0)


def test_few_requests_are_asked_for_twice() -> None:
    late = known(*[0.2] * 49)
    found = [late.may_ask_again(2)]
    late.record_answer("things.list", 0.2)
    found.append(late.may_ask_again(2))
    late.asked_again = 1

    assert [*found, late.may_ask_again(2)] == [False, True, False]


def test_an_upstream_that_hangs_as_a_whole_gets_few_requests_more() -> None:
    """All of them are late at once: the share is counted when each is sent again, not when it began."""

    async def work(fleet: Fleet) -> int:
        (gate,) = fleet.gates
        for _ in range(100):
            gate.hedging.record_answer("things.list", 0.2)
        await gate.enter("things.list")
        return sum(gate.enter_again("things.list", most_percent=2) is not None for _ in range(7))

    assert simulate(work) == 2


def asked(*answers: float | Exception, may_ask_again: bool = True) -> tuple[object, float, int]:
    """Ask an upstream that answers after so many seconds, or fails after one; give what came, when, and the requests
    that were cancelled."""
    cancelled = 0

    async def work(fleet: Fleet) -> tuple[object, float]:
        left = list(answers)

        async def ask() -> float:
            nonlocal cancelled
            answer = left.pop(0)
            try:
                await asyncio.sleep(1.0 if isinstance(answer, Exception) else answer)
            except asyncio.CancelledError:
                cancelled += 1
                raise
            if isinstance(answer, Exception):
                raise answer
            return answer

        try:
            found: object = await hedging.await_first_answer(
                ask, late_seconds=0.5, may_ask_again=lambda: may_ask_again, drop=lambda _answer: None
            )
        except ConnectionError as error:
            found = error
        await asyncio.sleep(0)
        return found, round(fleet.loop.time(), 3)

    found, at = simulate(work)
    return found, at, cancelled


def test_an_answer_in_time_is_asked_for_once() -> None:
    assert asked(0.4) == ((0.4, False), 0.4, 0)


def test_the_answer_that_comes_first_counts_and_the_other_is_dropped() -> None:
    assert asked(30.0, 0.1) == ((0.1, True), 0.6, 1)
    assert asked(0.7, 30.0) == ((0.7, True), 0.7, 1)


def test_the_second_of_two_answers_that_come_at_once_is_given_back() -> None:
    """It holds memory of the process's budget."""
    dropped: list[float] = []

    async def work(fleet: Fleet) -> tuple[float, bool]:
        moments = [0.75, 0.25]

        async def ask() -> float:
            moment = moments.pop(0)
            await asyncio.sleep(moment)
            return moment

        found = await hedging.await_first_answer(ask, late_seconds=0.5, may_ask_again=lambda: True, drop=dropped.append)
        await asyncio.sleep(0)
        return found

    answer, _ = simulate(work)

    assert sorted([answer, *dropped]) == [0.25, 0.75]


def test_a_request_may_not_be_asked_for_twice() -> None:
    assert asked(0.7, may_ask_again=False) == ((0.7, False), 0.7, 0)


def test_a_request_is_asked_for_twice_once_there_is_room() -> None:
    """What is waited for fills the gate at first, and then waits itself for the answer that hangs."""

    async def work(fleet: Fleet) -> tuple[str, bool]:
        answers = [30.0, 0.1]

        async def ask() -> str:
            seconds = answers.pop(0)
            await asyncio.sleep(seconds)
            return f"after {seconds}"

        return await hedging.await_first_answer(
            ask, late_seconds=0.5, may_ask_again=lambda: fleet.loop.time() > 2.0, drop=lambda _answer: None
        )

    assert simulate(work) == ("after 0.1", True)


def test_a_failure_counts_when_the_other_one_fails_as_well() -> None:
    broken, later = ConnectionError("first"), ConnectionError("second")

    assert asked(broken, 2.0) == ((2.0, True), 2.5, 0)
    assert asked(broken, later)[0] is later


@pytest.mark.parametrize("pace", [None, 50.0])
def test_a_paced_account_asks_for_nothing_twice(pace: float | None) -> None:
    async def work(fleet: Fleet) -> bool:
        (gate,) = fleet.gates
        passage = await gate.enter("things.list")
        gate.hedging.record_answer("things.list", 0.2)
        second = gate.enter_again("things.list", most_percent=100)
        gate.leave_served(passage, RateLimitHeaders())
        if second is not None:
            gate.leave_unanswered()
        return second is not None

    assert simulate(work, pace=pace) is (pace is None)


def test_there_has_to_be_room() -> None:
    async def work(fleet: Fleet) -> list[bool]:
        (gate,) = fleet.gates
        passages = [await gate.enter("things.list") for _ in range(8)]
        gate.hedging.record_answer("things.list", 0.2)
        found = [gate.enter_again("things.list", most_percent=100) is not None]
        gate.leave_served(passages.pop(), RateLimitHeaders())
        found.append(gate.enter_again("things.list", most_percent=100) is not None)
        return found

    assert simulate(work, most=8) == [False, True]
