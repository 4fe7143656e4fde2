"""A run has one trace, whoever wakes its units and however often their daemon dies."""

from collections.abc import Iterator

import pytest

from app import tracing
from app.tracing import Span
from tests.support.pump import Mailbox, Pump, World
from tests.support.pump_jobs import JOBS
from tests.support.pump_proofs import Proof

BY_NAME = {job.name: job for job in JOBS}


@pytest.fixture
def recorded() -> Iterator[list[Span]]:
    spans: list[Span] = []
    tracing.start(spans.append)
    yield spans
    tracing.stop()


@pytest.mark.parametrize("name", ["flat", "pair-to-webhook"])
def test_slices_that_only_the_sweeper_wakes_are_in_their_runs_trace(
    proof: Proof, recorded: list[Span], name: str
) -> None:
    world = World(proof.database, BY_NAME[name], Mailbox(only_sweeper=True), limits={"slice_pages": 3})
    run_id = world.post()

    with Pump(world) as pump:
        outcome = pump.run(run_id)

    # The sweeper takes up what other tests have left in the database, in traces of their own.
    own = [span for span in recorded if span.trace_id == run_id.replace("-", "")]
    assert outcome.run["status"] == "completed"
    assert {"run", "start", "settle", "write pages"} <= {span.name for span in own}
    written = sum(int(span.attributes["ferryman.records.fetched"]) for span in own if span.name == "write pages")
    assert written == sum(one["fetched"] for one in outcome.resources)
    ids = [span.id for span in own]
    assert {span.parent_id for span in own} <= {None, *ids}
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("kill_after", [2, 4])
def test_daemon_that_dies_leaves_the_trace_to_its_successor(
    proof: Proof, recorded: list[Span], kill_after: int
) -> None:
    world = World(proof.database, BY_NAME["flat"], limits={"slice_pages": 1})
    run_id = world.post()

    with Pump(world, kill_after=kill_after) as pump:
        outcome = pump.run(run_id)
        assert pump.kills == 1

    # The sweeper takes up what other tests have left, in traces of their own.
    own = [span for span in recorded if span.trace_id == run_id.replace("-", "")]
    assert outcome.run["status"] == "completed"
    assert {"run", "start", "settle", "write pages"} <= {span.name for span in own}
