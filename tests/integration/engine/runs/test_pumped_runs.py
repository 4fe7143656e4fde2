"""Every job comes to the same end, whatever becomes of its messages and slices."""

import random
from collections import Counter

import pytest

from app.engine.status import RunStatus
from tests.support.pump import Mailbox, Pump, World, handle
from tests.support.pump_jobs import JOBS, Job, MemoryReceiver, records_of
from tests.support.pump_proofs import IS_LONG, LONGEST_SECONDS, SHUFFLES, Proof

pytestmark = pytest.mark.timeout(LONGEST_SECONDS)
FEW = {"flat", "pair-to-webhook", "faults-ignored", "fail-fast-to-webhook"}
every_job = pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
various_jobs = pytest.mark.parametrize(
    "job", [job for job in JOBS if IS_LONG or job.name in FEW], ids=lambda job: job.name
)


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
