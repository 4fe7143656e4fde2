"""What proofs of pumped runs share: what each job comes to undisturbed, and how a disturbed run is held to it."""

import os

from tests.support.pump import Pump, World
from tests.support.pump_database import Outcome, PumpDatabase
from tests.support.pump_jobs import JOBS, Job, MemoryReceiver

IS_LONG = os.environ.get("PROOFS") == "long"
LONGEST_SECONDS = 3600 if IS_LONG else 600
SHUFFLES = 20 if IS_LONG else 1
_OF_SUITE = {
    *("family-to-webhook", "loop", "faults-in-batches", "fail-fast-to-webhook", "told-deletions"),
    "transforms-and-spools-to-webhook",
}
DISTURBED = [job for job in JOBS if IS_LONG or job.name in _OF_SUITE]
"""Jobs that differ in all that a disturbance could break; the long form takes all that there are."""


def stride(of_suite: int) -> int:
    """Return how far apart the moments are at which something goes wrong: the long form takes each."""
    return 1 if IS_LONG else of_suite


class Proof:
    """Runs jobs, each undisturbed only once."""

    def __init__(self, database: PumpDatabase) -> None:
        self.database = database
        self._undisturbed: dict[str, tuple[Outcome, int]] = {}

    def undisturbed(self, job: Job) -> tuple[Outcome, int]:
        """Return what a job comes to when nothing goes wrong, and how many commits that takes."""
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


def assert_in_order(receiver: MemoryReceiver, event_ids: list[str]) -> None:
    """Claim that each event came, none before an earlier one was there; repeats follow each other."""
    ids = [event_id for event_id, _ in receiver.taken]
    assert list(dict.fromkeys(ids)) == event_ids
    assert ids == sorted(ids, key=event_ids.index)
    kinds = [body["event"].removeprefix("sync_job_run:") for _, body in receiver.taken]
    lifecycle = [kind for kind in dict.fromkeys(kinds) if kind not in ("record", "record_error")]
    assert lifecycle in ([], ["created", "started", "completed"], ["created", "started", "failed"])
    assert not kinds or (kinds[0], kinds[-1]) == (lifecycle[0], lifecycle[-1])
