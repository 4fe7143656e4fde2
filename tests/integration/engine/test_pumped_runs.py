"""Every job comes to the same end, whatever becomes of its messages, slices and processes."""

import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from app.engine.status import RunStatus
from tests.support.pump import Mailbox, Pump, World, handle
from tests.support.pump_database import Outcome, PumpDatabase
from tests.support.pump_jobs import JOBS, Job, MemoryReceiver, records_of

IS_LONG = os.environ.get("PROOFS") == "long"
pytestmark = pytest.mark.timeout(3600 if IS_LONG else 180)
FEW = {"flat", "pair-to-webhook", "faults-ignored", "fail-fast-to-webhook"}
every_job = pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
various_jobs = pytest.mark.parametrize(
    "job", [job for job in JOBS if IS_LONG or job.name in FEW], ids=lambda job: job.name
)

SHUFFLES = 20 if IS_LONG else 1


class Proof:
    """Runs jobs, each undisturbed only once."""

    def __init__(self, database: PumpDatabase) -> None:
        self.database = database
        self._undisturbed: dict[str, tuple[Outcome, int]] = {}

    def undisturbed(self, job: Job) -> tuple[Outcome, int]:
        """Give what a job comes to when nothing goes wrong, and how many commits that takes."""
        if job.name not in self._undisturbed:
            world = World(self.database, job)
            with Pump(world) as pump:
                self._undisturbed[job.name] = pump.run(world.post()), pump.commits.count
        return self._undisturbed[job.name]

    def check(self, world: World, run_id: str, outcome: Outcome) -> None:
        """Compare with the undisturbed run, and look at what reached the receiver."""
        expected, _ = self.undisturbed(world.job)
        assert outcome == expected
        assert_in_order(world.receiver, self.database.event_ids(run_id))


@pytest.fixture(scope="module")
def proof(pump_database: PumpDatabase) -> Iterator[Proof]:
    return Proof(pump_database)


def kills(commits: int, *, skip_first: bool) -> Sequence[int]:
    """Choose the commits to die at: all, but in the suite those of long runs only here and there."""
    step = 1 if IS_LONG else -(-commits // 10)
    return range(1 + step // 2 if skip_first else 1, commits + 1, step)


def assert_in_order(receiver: MemoryReceiver, event_ids: list[str]) -> None:
    """Claim that each event came, none before an earlier one was there; repeats follow each other."""
    ids = [event_id for event_id, _ in receiver.taken]
    assert list(dict.fromkeys(ids)) == event_ids
    assert ids == sorted(ids, key=event_ids.index)
    kinds = [body["event"].removeprefix("sync_job_run:") for _, body in receiver.taken]
    lifecycle = [kind for kind in dict.fromkeys(kinds) if kind not in ("record", "record_error")]
    assert lifecycle in ([], ["created", "started", "completed"], ["created", "started", "failed"])
    assert not kinds or (kinds[0], kinds[-1]) == (lifecycle[0], lifecycle[-1])


def assert_few_repeats(world: World) -> None:
    """Claim that one death repeats no page twice, and of them only those in flight and those not yet written."""
    lost = 2 * world.settings.requests_per_account if world.job.has_parallel_requests else 1
    asked = Counter(world.api.asked)
    assert max(asked.values()) <= 2
    assert asked.total() - len(asked) <= lost
    assert len(world.receiver.taken) - len({id for id, _ in world.receiver.taken}) <= 1


@every_job
def test_undisturbed_run_asks_for_each_page_once_and_keeps_every_record(proof: Proof, job: Job) -> None:
    world = World(proof.database, job)
    run_id = world.post()

    with Pump(world) as pump:
        outcome = pump.run(run_id)

    proof.check(world, run_id, outcome)
    assert (outcome.run["status"], outcome.unfinished) == (job.status, [])
    assert set(Counter(world.api.asked).values()) == {1}
    assert Counter(error["resource"] for error in outcome.errors) == Counter(
        {books["name"]: books["errors"] for books in outcome.resources if books["errors"]}
    )
    if not outcome.errors and not job.to_webhook:
        assert outcome.records == records_of(job)
    if job.status is RunStatus.COMPLETED:
        assert any(books["is_held"] for books in outcome.resources) is bool(outcome.errors)


@every_job
def test_run_that_yields_after_every_page_ends_alike(proof: Proof, job: Job) -> None:
    world = World(proof.database, job, limits={"slice_pages": 1})
    run_id = world.post()

    with Pump(world) as pump:
        outcome = pump.run(run_id)

    proof.check(world, run_id, outcome)
    assert proof.database.yields_after_each_page(run_id)
    assert set(Counter(world.api.asked).values()) == {1}


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


@pytest.mark.parametrize("seed", range(SHUFFLES))
@various_jobs
def test_messages_may_come_twice_and_in_any_order(proof: Proof, job: Job, seed: int) -> None:
    world = World(proof.database, job, Mailbox(copies=2, chance=random.Random(seed)))
    run_id = world.post()

    with Pump(world) as pump:
        outcome = pump.run(run_id)

    proof.check(world, run_id, outcome)
    assert set(Counter(world.api.asked).values()) == {1}


@various_jobs
def test_run_whose_messages_are_all_lost_is_brought_on_by_the_sweeper(proof: Proof, job: Job) -> None:
    world = World(proof.database, job, Mailbox(only_sweeper=True))
    run_id = world.post()

    with Pump(world) as pump:
        outcome = pump.run(run_id)

    proof.check(world, run_id, outcome)


@various_jobs
def test_messages_that_come_when_all_is_over_change_nothing(proof: Proof, job: Job) -> None:
    world = World(proof.database, job)
    run_id = world.post()
    with Pump(world) as pump:
        pump.run(run_id)
        asked, taken = list(world.api.asked), list(world.receiver.taken)

        for message in [*world.mailbox.sent]:
            handle(pump.daemon, world.mailbox, message)
        outcome = pump.run(run_id)

    proof.check(world, run_id, outcome)
    assert (world.api.asked, world.receiver.taken) == (asked, taken)


@various_jobs
def test_receiver_that_refuses_every_third_event_gets_all_in_order(proof: Proof, job: Job) -> None:
    world = World(proof.database, job, receiver=MemoryReceiver(refuse_each=3))
    run_id = world.post()

    with Pump(world) as pump:
        outcome = pump.run(run_id)

    proof.check(world, run_id, outcome)
