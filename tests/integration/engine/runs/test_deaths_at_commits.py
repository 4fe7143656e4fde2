"""Every job comes to the same end, at whatever commit its daemon dies."""

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.support.pump import Pump, World
from tests.support.pump_jobs import Job
from tests.support.pump_proofs import DISTURBED, LONGEST_SECONDS, SHUFFLES, Proof, stride

pytestmark = pytest.mark.timeout(LONGEST_SECONDS)
every_job = pytest.mark.parametrize("job", DISTURBED, ids=lambda job: job.name)


def kills(commits: int, *, skip_first: bool) -> Sequence[int]:
    """Choose the commits to die at: all, but in the suite those of long runs only here and there."""
    step = stride(-(-commits // 2))
    return range(1 + step // 2 if skip_first else 1, commits + 1, step)


def assert_few_repeats(world: World) -> None:
    """Claim that one death repeats no page twice, and of them only those in flight and those not yet written."""
    lost = 2 * world.settings.requests_per_account if world.job.has_parallel_requests else 1
    asked = Counter(world.api.asked)
    assert max(asked.values()) <= 2
    assert asked.total() - len(asked) <= lost
    assert len(world.receiver.taken) - len({id for id, _ in world.receiver.taken}) <= 1


@pytest.mark.parametrize("moment", ["before", "after"])
@every_job
def test_run_goes_on_from_every_commit_at_which_its_daemon_dies(proof: Proof, job: Job, moment: str) -> None:
    _, commits = proof.undisturbed(job)

    for number in kills(commits, skip_first=moment == "after"):
        world = World(proof.database, job)
        run_id = world.post()
        with Pump(world, **{f"kill_{moment}": number}) as pump:
            outcome = pump.run(run_id)

        proof.check(world, run_id, outcome)
        # Answers that come side by side share a commit or not, as it happens: such a run may end a few commits sooner.
        ended_sooner = job.has_parallel_requests and pump.commits.count < number
        assert pump.kills == 1 or ended_sooner, f"nobody died {moment} commit {number}"
        assert_few_repeats(world)


@pytest.mark.parametrize("seed", range(SHUFFLES))
@every_job
def test_run_outlives_deaths_at_every_eighth_commit_or_so(proof: Proof, job: Job, seed: int) -> None:
    world = World(proof.database, job)
    run_id = world.post()
    chance = random.Random(seed)

    with Pump(world) as pump:
        pump.commits.kills_by_chance = lambda: chance.random() < 1 / 8
        outcome = pump.run(run_id)

    proof.check(world, run_id, outcome)
