"""What all answers of a process may take together."""

import asyncio
import random

import pytest

from app.sources.reading.memory import FREE_BYTES, AnswerMemory, HeldMemory

MIB = 1024 * 1024


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def grown(held: HeldMemory, size: int) -> "asyncio.Task[None]":
    task = asyncio.ensure_future(held.grow_to(size))
    await settle()
    return task


def test_a_small_answer_waits_for_nobody() -> None:
    async def scenario() -> None:
        memory = AnswerMemory(10 * MIB, kept_bytes=4 * MIB)
        first, second = memory.hold(), memory.hold()
        await first.grow_to(100 * MIB)
        await second.grow_to(6 * MIB)

        small = await grown(memory.hold(), FREE_BYTES)
        large = await grown(memory.hold(), FREE_BYTES + 1)

        assert (small.done(), large.done()) == (True, False)
        large.cancel()

    asyncio.run(scenario())


def test_the_first_goes_on_and_the_others_follow_in_turn() -> None:
    async def scenario() -> None:
        memory = AnswerMemory(10 * MIB, kept_bytes=4 * MIB)
        first, *others = [memory.hold() for _ in range(4)]
        await first.grow_to(2 * MIB)
        waiting = [await grown(held, 4 * MIB) for held in others]
        assert [task.done() for task in waiting] == [True, False, False]

        await first.grow_to(50 * MIB)
        first.release()
        await settle()

        # The second is the first now, and its part is no more of the others'.
        assert [task.done() for task in waiting] == [True, True, False]
        others[0].release()
        await settle()
        assert waiting[2].done()

    asyncio.run(scenario())


def test_who_waits_longest_is_the_next_although_another_would_fit() -> None:
    async def scenario() -> None:
        memory = AnswerMemory(10 * MIB, kept_bytes=2 * MIB)
        first, second = memory.hold(), memory.hold()
        await first.grow_to(2 * MIB)
        await second.grow_to(5 * MIB)
        large, small = await grown(memory.hold(), 7 * MIB), await grown(memory.hold(), 2 * MIB)

        assert not large.done() and not small.done()

        second.release()
        await settle()
        assert large.done() and not small.done()
        small.cancel()

    asyncio.run(scenario())


def test_one_that_is_given_up_makes_room() -> None:
    async def scenario() -> None:
        memory = AnswerMemory(4 * MIB, kept_bytes=4 * MIB)
        first, second, third = memory.hold(), memory.hold(), memory.hold()
        await first.grow_to(2 * MIB)
        waiting = [await grown(second, 2 * MIB), await grown(third, 2 * MIB)]

        waiting[0].cancel()
        second.release()
        first.release()
        await settle()

        assert waiting[1].done()
        third.release()
        assert memory.held_bytes == 0

    asyncio.run(scenario())


def test_a_deadline_does_not_pass_while_an_answer_waits() -> None:
    async def scenario() -> None:
        memory = AnswerMemory(4 * MIB, kept_bytes=4 * MIB)
        first = memory.hold()
        await first.grow_to(2 * MIB)
        asyncio.get_running_loop().call_later(0.2, first.release)

        async with asyncio.timeout(0.05) as deadline:
            held = memory.hold(deadline)
            await held.grow_to(2 * MIB)

        assert held.waited_seconds > 0.1

    asyncio.run(scenario())


def test_an_answer_without_a_budget_takes_what_it_needs() -> None:
    held = HeldMemory()

    asyncio.run(held.grow_to(10**12))
    held.release()


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_all_end_within_the_budget(seed: int) -> None:
    dice = random.Random(seed)
    memory = AnswerMemory(64 * MIB, kept_bytes=16 * MIB)
    ended = []

    async def answer(number: int) -> None:
        size = dice.choice([100_000, 2 * MIB, 16 * MIB])
        with memory.hold() as held:
            for got in range(0, size + 1, 50_000):
                await held.grow_to(got)
                if dice.random() < 0.5:
                    await asyncio.sleep(0)
        ended.append(number)

    async def scenario() -> None:
        await asyncio.wait_for(asyncio.gather(*map(answer, range(30))), timeout=60)

    asyncio.run(scenario())
    assert len(ended) == 30
    assert memory.held_bytes == 0
    assert memory.peak_bytes <= 64 * MIB
