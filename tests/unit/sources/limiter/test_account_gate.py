"""Fleets against upstreams that limit rates: how much of a limit is used, how much is refused, what is shared."""

import asyncio
import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from app.engine.limits.headers import RateLimitHeaders
from app.engine.record_errors import RateLimitedError
from app.sources.limiter.gate import AccountGate
from tests.unit.sources.simulated_fleet import (
    EPOCH,
    BucketApi,
    CountingApi,
    Fleet,
    Headers,
    LimitedApi,
    MoodyApi,
    Tell,
    TroubledApi,
    silent,
    simulate,
)


def epoch_milliseconds(api: LimitedApi, now: float) -> Headers:
    return {"x-ratelimit-reset": str(int((EPOCH + api.reset_at(now)) * 1000))}


def quota(api: LimitedApi, now: float) -> Headers:
    left = max(0, api.requests - api.used(now))
    return {"x-ratelimit-limit": str(api.requests), "x-ratelimit-remaining": str(left), **epoch_milliseconds(api, now)}


def quota_in_seconds(api: LimitedApi, now: float) -> Headers:
    left = max(0, api.requests - api.used(now))
    reset = str(math.ceil(api.reset_at(now) - now))
    return {"ratelimit-limit": f"{api.requests};w=1", "ratelimit-remaining": str(left), "ratelimit-reset": reset}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    use: float
    refused: float
    seconds: float
    parked: int


KINDS: dict[str, Callable[..., LimitedApi]] = {
    "fixed windows": LimitedApi,
    "a sliding window": partial(LimitedApi, is_sliding=True),
    "a bucket": BucketApi,
}


def outcome(
    api_settings: dict[str, object], *, processes: int = 1, requests: int = 200, pace: float | None = None
) -> Outcome:
    async def work(fleet: Fleet) -> Outcome:
        api = LimitedApi(fleet.loop, **api_settings)  # type: ignore[arg-type]
        seconds = await fleet.work(api, requests=requests // processes)
        use = len(api.served) / seconds / (api.requests / api.per_seconds)
        return Outcome(use=use, refused=api.refused_share, seconds=seconds, parked=fleet.parked)

    return simulate(work, processes=processes, pace=pace)


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize(
    "limit",
    [
        pytest.param({}, id="no header"),
        pytest.param({"is_sliding": True}, id="no header, sliding"),
        pytest.param({"tell": epoch_milliseconds}, id="epoch ms"),
        pytest.param({"tell": quota}, id="quota"),
        pytest.param({"tell": quota_in_seconds}, id="quota, whole seconds"),
    ],
)
def test_five_requests_a_second_are_used_and_hardly_exceeded(limit: dict[str, object], processes: int) -> None:
    found = outcome({"requests": 5, **limit}, processes=processes)

    assert found.use > 0.8
    assert found.refused < 0.05
    assert found.parked == 0


@pytest.mark.parametrize(
    ("kind", "requests", "per_seconds"),
    [
        pytest.param(kind, requests, per_seconds, id=f"{name}, {requests} in {per_seconds} s")
        for name, kind in KINDS.items()
        for requests, per_seconds in ((5, 1), (10, 1), (100, 60), (600, 60))
        # A bucket of a minute's requests serves them all at once: what is learned then is far too fast.
        if (kind, per_seconds) != (BucketApi, 60)
    ],
)
def test_limit_that_was_found_is_used_whatever_the_upstream_counts_by(
    kind: Callable[..., LimitedApi], requests: int, per_seconds: int
) -> None:
    """Not counted are the first burst, all the requests of a minute, and the wait for its end."""

    async def work(fleet: Fleet) -> tuple[float, float]:
        api, pace = (
            kind(fleet.loop, requests=requests, per_seconds=per_seconds, work_seconds=0.17),
            requests / per_seconds,
        )
        await fleet.work(api, requests=int(80 * pace))
        served, refused = len(api.served), len(api.refused)
        measured = max(500, int(120 * pace))
        seconds = await fleet.work(api, requests=measured, at_once=int(2 * pace) + 2)
        return (len(api.served) - served) / seconds / pace, (len(api.refused) - refused) / measured

    use, refused = simulate(work)

    assert use > 0.95
    # Of so few requests in a limit's time each trial takes several.
    assert refused < (0.04 if requests == 100 else 0.02)


def test_idle_time_before_a_burst_does_not_make_the_learned_pace_lower() -> None:
    async def work(fleet: Fleet) -> float:
        api = LimitedApi(fleet.loop, requests=5)
        (gate,) = fleet.gates
        await fleet.send(gate, api)
        await asyncio.sleep(8.3)
        seconds = await fleet.work(api, requests=100)
        return 100 / 5 / seconds

    assert simulate(work) > 0.8


def test_first_burst_may_meet_the_limit_at_any_moment() -> None:
    async def work(fleet: Fleet, moment: float) -> float:
        await asyncio.sleep(moment)
        api = LimitedApi(fleet.loop, requests=5)
        return 60 / 5 / await fleet.work(api, requests=60)

    uses = [simulate(lambda fleet, moment=number / 30: work(fleet, moment)) for number in range(30)]  # type: ignore[misc]

    # Within one round trip around the end of a window the upstream serves twice its limit, which has to be unlearned.
    assert min(uses) > 0.6
    assert sum(uses) / len(uses) > 0.9


def test_processes_that_stand_still_now_and_then_do_not_unlearn_the_pace() -> None:
    async def work(fleet: Fleet, seed: int) -> float:
        chance = random.Random(seed)
        api = LimitedApi(fleet.loop, requests=5, is_sliding=True, chance=chance)
        stalls = asyncio.ensure_future(stand_still(fleet, chance))
        seconds = await fleet.work(api, requests=40, at_once=16)
        stalls.cancel()
        return 80 / 5 / seconds

    async def stand_still(fleet: Fleet, chance: random.Random) -> None:
        while True:
            await asyncio.sleep(chance.expovariate(1 / 6))
            fleet.loop.virtual.time += chance.uniform(0, 3)

    uses = [simulate(lambda fleet, seed=seed: work(fleet, seed), processes=2) for seed in range(20)]  # type: ignore[misc]

    assert min(uses) > 0.45
    assert sum(uses) / len(uses) > 0.68


def test_pace_that_was_learned_from_hardly_any_request_is_soon_tried_out() -> None:
    """Who asks for little and is turned away twice has seen no limit, only how little was asked for."""

    def turned_away_twice(api: LimitedApi, _now: float) -> Headers:
        api.requests = 1000 if len(api.refused) == 2 else api.requests
        return {} if api.requests else {"retry-after": "1"}

    async def work(fleet: Fleet) -> float:
        api = LimitedApi(fleet.loop, requests=1000, tell=turned_away_twice)
        (gate,) = fleet.gates
        await fleet.send(gate, api)
        api.requests = 0
        await fleet.send(gate, api)
        begun = fleet.loop.time()
        for _ in range(12):
            await asyncio.sleep(0.3)
            await fleet.send(gate, api)
        return fleet.loop.time() - begun

    assert simulate(work) < 12


def remaining_only(api: LimitedApi, now: float) -> Headers:
    return {"x-ratelimit-remaining": str(max(0, api.requests - api.used(now)))}


@pytest.mark.parametrize("at_once", [1, 16])
@pytest.mark.parametrize("tell", [silent, remaining_only])
def test_pace_that_was_learned_while_others_took_everything_recovers(tell: Tell, at_once: int) -> None:
    """Two accounts may share one key of an API: what one of them learns beside the other says nothing of the limit."""

    async def work(fleet: Fleet) -> float:
        api = LimitedApi(fleet.loop, requests=5, tell=tell)
        (gate,) = fleet.gates
        await fleet.send(gate, api)
        await asyncio.sleep(3)
        now = EPOCH + fleet.loop.time()
        starved = {"pace": 0.037, "limit_pace": 0.037, "evidence": 5.0, "grow_at": now, "next_at": now + 27}
        fleet.store.put(json.dumps({**fleet.budget(), **starved}))
        return await fleet.work(api, requests=60, at_once=at_once)

    # Its first beat takes 27 s, and 60 requests at the limit 12 s; by served requests alone it took 525 and 769 s.
    assert simulate(work) < 130


def test_limit_that_falls_to_a_fifth_is_learned_anew() -> None:
    async def work(fleet: Fleet) -> tuple[float, float]:
        api = LimitedApi(fleet.loop, requests=10)
        await fleet.work(api, requests=100)
        api.requests, known = 2, len(api.refused)
        seconds = await fleet.work(api, requests=60)
        return 60 / 2 / seconds, (len(api.refused) - known) / 60

    use, refused = simulate(work)

    assert use > 0.7
    assert refused < 0.2


def in_a_second(_api: LimitedApi, _now: float) -> Headers:
    return {"retry-after": "1"}


@pytest.mark.parametrize("tell", [silent, in_a_second])
@pytest.mark.parametrize(("share", "longest"), [(0.05, 80), (1 / 6, 160)])
def test_refusals_that_come_at_any_pace_do_not_stop_an_account(share: float, longest: float, tell: Tell) -> None:
    """An upstream, or a proxy of it, may refuse one request of twenty whatever is sent: no pace avoids that."""

    async def work(fleet: Fleet) -> float:
        return await fleet.work(MoodyApi(fleet.loop, requests=10**6, tell=tell, share=share), requests=200)

    # While each refusal cut the pace, it sank to one request in six seconds: 125 to 730 s.
    assert simulate(work) < longest


def test_configured_pace_is_kept_from_the_first_request_on() -> None:
    found = outcome({"requests": 5, "is_sliding": True}, pace=5)

    assert found.use > 0.9
    assert found.refused == 0


def test_quota_of_a_minute_is_used_at_once_and_then_waited_for() -> None:
    found = outcome({"requests": 100, "per_seconds": 60, "tell": quota}, requests=250)

    assert found.refused == 0
    assert found.parked > 0
    assert 119 < found.seconds < 125


@pytest.mark.parametrize("processes", [1, 2])
def test_window_grows_fast_while_an_upstream_keeps_up(processes: int) -> None:
    found = outcome({"requests": 10**6, "latency": 0.05}, processes=processes, requests=2000)

    assert found.seconds < 2.5


def test_requests_of_all_processes_stay_within_one_window() -> None:
    async def work(fleet: Fleet) -> int:
        api = CountingApi(fleet.loop, requests=10**6)
        await fleet.work(api, requests=100)
        return api.most

    assert simulate(work, processes=3, most=12) == 12


def test_places_that_a_process_no_longer_needs_are_used_by_another_at_once() -> None:
    async def work(fleet: Fleet) -> float:
        api = CountingApi(fleet.loop, requests=10**6, latency=0.05)
        busy = asyncio.ensure_future(fleet.work_in(fleet.gates[0], api, requests=10_000))
        await fleet.work_in(fleet.gates[1], api, requests=1_000)
        ended = fleet.loop.time()
        while api.under_way < 60:
            await asyncio.sleep(0.01)
        busy.cancel()
        return fleet.loop.time() - ended

    assert simulate(work, processes=2) < 0.15


def test_places_of_a_process_that_was_killed_are_free_again() -> None:
    async def work(fleet: Fleet) -> float:
        dead, alive = fleet.gates
        for _ in range(4):
            await dead.enter("things.list")
        await asyncio.sleep(0.1)
        await dead.close()
        begun = fleet.loop.time()
        for _ in range(4):
            await alive.enter("things.list")
        return fleet.loop.time() - begun

    assert 1.0 < simulate(work, processes=2, most=4, start=4) < 4.0


def test_a_window_of_one_goes_round() -> None:
    async def work(fleet: Fleet) -> set[int]:
        served: list[int] = []

        async def ask_for_ever(number: int, gate: AccountGate) -> None:
            while True:
                passage = await gate.enter("things.list")
                await asyncio.sleep(0.05)
                gate.leave_served(passage, RateLimitHeaders())
                served.append(number)

        tasks = [asyncio.create_task(ask_for_ever(number, gate)) for number, gate in enumerate(fleet.gates)]
        await asyncio.sleep(10)
        for task in tasks:
            task.cancel()
        return set(served)

    assert simulate(work, processes=3, most=1, start=1) == {0, 1, 2}


def test_refusals_of_one_round_trip_halve_the_window_once() -> None:
    async def work(fleet: Fleet) -> list[float]:
        (gate,) = fleet.gates
        passages = await asyncio.gather(*(gate.enter("things.list") for _ in range(8)))
        windows = []
        for passage in passages[:4]:
            gate.leave_refused(passage, 1.0, RateLimitHeaders())
            await asyncio.sleep(0.05)
            windows.append(fleet.window())
        return windows

    assert simulate(work, start=8) == [4, 4, 4, 4]


def test_a_slow_request_does_not_hold_up_those_beside_it() -> None:
    async def work(fleet: Fleet) -> float:
        (gate,) = fleet.gates
        await gate.enter("slow.list")
        for _ in range(20):
            gate.leave_served(await gate.enter("things.list"), RateLimitHeaders())
        for _ in range(12):
            await gate.enter("things.list")
        return fleet.loop.time()

    assert simulate(work, start=4) < 4


def test_refusals_of_one_moment_halve_the_window_once_for_all_processes() -> None:
    async def work(fleet: Fleet) -> float:
        entered = [(gate, await gate.enter("things.list")) for gate in fleet.gates for _ in range(4)]
        await asyncio.sleep(0.1)
        for gate, passage in entered:
            gate.leave_refused(passage, 1.0, RateLimitHeaders())
            await asyncio.sleep(0)
        await asyncio.sleep(0.5)
        return fleet.window()

    assert simulate(work, processes=2, start=8) == 4


def test_a_slow_upstream_makes_the_window_smaller() -> None:
    async def work(fleet: Fleet) -> tuple[float, float]:
        api = CountingApi(fleet.loop, requests=10**6, latency=0.05)
        await fleet.work(api, requests=500)
        quick = fleet.window()
        api.latency = 1.0
        await fleet.work(api, requests=200)
        return quick, fleet.window()

    quick, slow = simulate(work)

    assert quick == 64
    assert slow <= 32


@pytest.mark.parametrize(("answers", "window"), [(1, 8), (2, 4)])
def test_a_busy_upstream_makes_the_window_smaller(answers: int, window: int) -> None:
    async def work(fleet: Fleet) -> float:
        (gate,) = fleet.gates
        for passage in [await gate.enter("things.list") for _ in range(answers)]:
            gate.leave_overloaded(passage, RateLimitHeaders())
        await asyncio.sleep(2)
        await gate.enter("things.list")
        await asyncio.sleep(0.1)
        return fleet.window()

    assert simulate(work, start=8) == window


@pytest.mark.parametrize("processes", [1, 2])
def test_a_few_busy_answers_cost_little(processes: int) -> None:
    """One of a hundred has no reason in how many requests there are."""

    async def work(fleet: Fleet) -> tuple[float, float]:
        clean = await fleet.work(CountingApi(fleet.loop, requests=10**6, latency=0.2), requests=2000 // processes)
        api = TroubledApi(fleet.loop, requests=10**6, latency=0.2)
        return clean, await fleet.work(api, requests=2000 // processes)

    clean, troubled = simulate(work, processes=processes)

    assert troubled <= 1.3 * clean


def test_many_busy_answers_make_the_window_smaller() -> None:
    async def work(fleet: Fleet) -> float:
        await fleet.work(TroubledApi(fleet.loop, requests=10**6, busy_share=0.3), requests=500)
        return fleet.window()

    assert simulate(work) <= 16


def test_a_long_wait_is_refused_to_all_who_wait_and_to_other_processes() -> None:
    async def work(fleet: Fleet) -> list[float]:
        first, second = fleet.gates
        passage = await first.enter("things.list")
        first.leave_refused(passage, 30.0, RateLimitHeaders())
        await asyncio.sleep(0.1)
        waits = []
        for gate in (first, second):
            with pytest.raises(RateLimitedError) as caught:
                await gate.enter("things.list")
            waits.append(caught.value.retry_after_seconds or 0.0)
        return waits

    assert simulate(work, processes=2) == pytest.approx([30, 30], abs=0.2)


@pytest.mark.parametrize("seconds", [0.2, 60.0], ids=["at once", "later"])
def test_a_budget_that_is_reset_lets_the_next_request_through_at_once(seconds: float) -> None:
    async def work(fleet: Fleet) -> float:
        first, second = fleet.gates
        first.leave_refused(await first.enter("things.list"), 3600.0, RateLimitHeaders())
        await asyncio.sleep(0.1)
        for gate in (first, second):
            with pytest.raises(RateLimitedError):
                await gate.enter("things.list")
        await asyncio.sleep(seconds)
        fleet.store.put("")
        begun = fleet.loop.time()
        for gate in (second, first):
            gate.leave_served(await gate.enter("things.list"), RateLimitHeaders())
        return fleet.loop.time() - begun

    assert simulate(work, processes=2) < 0.1


def test_refusals_that_tell_no_wait_close_the_account_for_the_default_one_then_for_twice_that() -> None:
    async def work(fleet: Fleet) -> list[float]:
        first, second = fleet.gates
        waits = []
        for _ in range(3):
            passage = await first.enter("things.list")
            first.leave_refused(passage, None, RateLimitHeaders(remaining=9), default_seconds=60.0)
            await asyncio.sleep(0.1)
            with pytest.raises(RateLimitedError) as caught:
                await second.enter("things.list")
            waits.append(caught.value.retry_after_seconds or 0.0)
            await asyncio.sleep(waits[-1] + 0.1)
        return waits

    assert simulate(work, processes=2) == pytest.approx([60, 120, 240], abs=0.5)


def test_a_slow_pace_frees_the_worker() -> None:
    async def work(fleet: Fleet) -> float:
        (gate,) = fleet.gates
        gate.leave_served(await gate.enter("things.list"), RateLimitHeaders())
        with pytest.raises(RateLimitedError) as caught:
            await gate.enter("things.list")
        return caught.value.retry_after_seconds or 0.0

    assert simulate(work, pace=0.1) == pytest.approx(10.5, abs=0.3)


def test_a_request_that_gives_up_while_it_waits_takes_no_place() -> None:
    async def work(fleet: Fleet) -> bool:
        (gate,) = fleet.gates
        passage = await gate.enter("things.list")
        waiting = asyncio.create_task(gate.enter("things.list"))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.sleep(0.01)
        gate.leave_served(passage, RateLimitHeaders())
        await gate.enter("things.list")
        return waiting.cancelled()

    assert simulate(work, most=1, start=1)


def test_an_idle_gate_gives_its_places_back() -> None:
    async def work(fleet: Fleet) -> tuple[bool, object]:
        (gate,) = fleet.gates
        gate.leave_served(await gate.enter("things.list"), RateLimitHeaders())
        await asyncio.sleep(5)
        return gate.is_idle, fleet.budget()["holders"]

    assert simulate(work) == (True, {})


def test_reports_are_far_fewer_than_requests() -> None:
    async def work(fleet: Fleet) -> int:
        await fleet.work(LimitedApi(fleet.loop, requests=10**6, latency=0.05), requests=2000)
        return fleet.store.swaps

    assert simulate(work) < 200


def test_a_broken_store_lets_requests_through() -> None:
    async def work(fleet: Fleet) -> None:
        fleet.store.is_broken = True
        (gate,) = fleet.gates
        gate.leave_served(await gate.enter("things.list"), RateLimitHeaders())
        gate.leave_served(await gate.enter("things.list"), RateLimitHeaders())

    simulate(work)


@pytest.mark.parametrize("text", ["{}", "[]", "nonsense", '{"window": 3}'])
def test_a_text_that_nobody_understands_is_replaced(text: str) -> None:
    async def work(fleet: Fleet) -> float:
        fleet.store.put(text)
        (gate,) = fleet.gates
        await gate.enter("things.list")
        return fleet.window()

    assert simulate(work) == 8
