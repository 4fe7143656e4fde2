"""What takes a while is done for accounts in turn, however much one of them asks for."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from app.sources.reading.processes import ReadingProcesses
from app.sources.reading.turns import Turns


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 3), st.sets(st.integers(0, 29)))
def test_each_account_waits_for_one_turn_of_any_other(asked: list[str], most: int, given_up: set[int]) -> None:
    had: list[tuple[int, str]] = []
    most_at_once: list[int] = []
    at_once = 0

    async def main() -> None:
        nonlocal at_once
        turns = Turns(most)

        async def one(number: int, account_id: str) -> None:
            nonlocal at_once
            async with turns.of(account_id):
                at_once += 1
                most_at_once.append(at_once)
                had.append((number, account_id))
                try:
                    await asyncio.sleep(0)
                finally:
                    at_once -= 1

        tasks = [asyncio.ensure_future(one(*each)) for each in enumerate(asked)]
        await asyncio.sleep(0)
        for number in given_up:
            if number < len(tasks):
                tasks[number].cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        for _ in range(most):
            await asyncio.wait_for(turns.take("last"), 1)

    asyncio.run(main())

    assert max(most_at_once, default=0) <= most
    waited = [(number, account) for number, account in had if number >= most]
    for account in set(asked):
        turns_of_it = [number for number, one in had if one == account]
        assert turns_of_it == sorted(turns_of_it), "an account's own are in order"
    firsts = {account: place for place, (_, account) in reversed(list(enumerate(waited)))}
    assert sorted(firsts.values()) == list(range(len(firsts))), "nobody's second comes before another one's first"


def test_a_stranger_waits_for_one_evaluation_however_many_wait() -> None:
    order: list[str] = []
    gate = threading.Event()

    def work(name: str) -> None:
        gate.wait(30)
        order.append(name)

    async def main() -> None:
        reading = ReadingProcesses()
        busy = [asyncio.ensure_future(reading.of("busy").run_aside(partial(work, "busy"))) for _ in range(20)]
        await asyncio.sleep(0)
        gone, *busy = busy
        gone.cancel()
        stranger = asyncio.ensure_future(reading.of("stranger").run_aside(partial(work, "stranger")))
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(stranger, *busy)
        await asyncio.to_thread(reading._threads.shutdown, wait=True)
        reading.close()

    asyncio.run(main())

    assert len(order) == 21, "a thread that works goes on, whoever has given up"
    assert order.index("stranger") <= 3


def test_a_loop_that_is_closed_is_not_called() -> None:
    gate = threading.Event()
    hooked: list[object] = []
    before, threading.excepthook = threading.excepthook, hooked.append

    async def main() -> Callable[[], None]:
        reading = ReadingProcesses()
        asyncio.ensure_future(reading.of("any").run_aside(partial(gate.wait, 30)))  # noqa: RUF006  # nobody waits for it
        await asyncio.sleep(0)
        return partial(reading._threads.shutdown, wait=True)

    try:
        wait = asyncio.run(main())
        gate.set()
        wait()
    finally:
        threading.excepthook = before
    assert hooked == []
