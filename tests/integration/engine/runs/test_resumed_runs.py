"""A resumed run goes on where it stood, asks again for what failed, and its books balance as if nothing had been."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import text

from app.engine.errors import ConflictError
from app.engine.json_types import JsonObject
from app.engine.objects.runs import SyncJobRun
from app.engine.status import RunStatus
from app.services.runs.resumption import Resumption
from app.services.runs.runs import verify_run
from app.store.runs.moves import RunMoves
from app.store.runs.outbox import OutboxStore
from app.store.runs.recounts import RecountStore
from app.store.runs.runs import RunStore
from tests.support.pump import Pump, World
from tests.support.pump_database import Outcome, PumpDatabase
from tests.support.pump_jobs import JOBS, Job, MemoryApi, records_of
from tests.support.pump_proofs import DISTURBED, stride

BY_NAME = {job.name: job for job in JOBS}
FAULTLESS = [job for job in JOBS if not job.name.startswith("fa") or job.name.startswith("family")]
HISTORY = ("errors", "retried")


@dataclass
class Life:
    """One run, its world, and what its user does to it."""

    database: PumpDatabase
    job: Job
    world: World = field(init=False)
    run_id: str = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(self.database, self.job)
        self.run_id = self.world.post()

    def go(self) -> Outcome:
        """Let the run come to an end, at which its books balance."""
        with Pump(self.world) as pump:
            outcome = pump.run(self.run_id)
        assert self.imbalances() == []
        unmended = self.ask("select count(*) from run_resource where run_id = :run_id and errors > retried")
        assert self.is_found_with_errors() == (unmended > 0)
        return outcome

    def imbalances(self) -> list[str]:
        found = verify_run(self.shown(), RecountStore(self.database.engine).recount)
        assert len(found.checks) >= len(self.job.resources)
        return [f"{check.resource}: {check.equation}" for check in found.checks if not check.holds]

    def shown(self) -> SyncJobRun:
        run = RunStore(self.database.engine).load(self.run_id)
        assert run is not None
        return run

    def is_found_with_errors(self) -> bool:
        return bool(self.ask("select has_errors from sync_job_run where id = :run_id"))

    def stop(self) -> bool:
        return RunMoves(self.database.engine).move(self.run_id, RunStatus.STOPPED)

    def stop_at(self, request: int) -> None:
        """Let the user stop the run while this request is under way."""
        self.world.api.on_ask = lambda: len(self.world.api.asked) + 1 == request and self.stop()

    def resume(self, *, errors_only: bool = False) -> None:
        engine = self.database.engine
        run = RunStore(engine).load(self.run_id)
        assert run is not None
        resumption = Resumption(
            moves=RunMoves(engine),
            end_wait=lambda run: False,
            remove_message=OutboxStore(engine).remove,
            dispatcher=self.world.mailbox,
            clock=_Clock(engine),
        )
        resumption.resume(self.shown(), errors_only=errors_only)

    def heal(self, **records: Sequence[JsonObject]) -> None:
        """Let the upstream answer from here on: faults are gone, and owners that were not there have these records."""
        whole = {
            resource: {owner: [row for row in rows if "fault" not in row] for owner, rows in owners.items()}
            for resource, owners in self.job.api.items()
        }
        for name, rows in records.items():
            resource, _, owner = name.partition("_of_")
            whole[resource][owner.replace("_", "-")] = list(rows)
        self.job = replace(self.job, api=whole)
        self.world.api = MemoryApi(self.job)

    def events(self) -> list[str]:
        return [body["event"].removeprefix("sync_job_run:") for _, body in self.world.receiver.taken]

    def ask(self, sql: str) -> Any:
        with self.database.engine.connect() as connection:
            return connection.execute(text(sql), {"run_id": self.run_id}).scalar_one()


class _Clock:
    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def now(self) -> Any:
        with self._engine.connect() as connection:
            return connection.execute(text("select now()")).scalar_one()


def counters(outcome: Outcome, name: str) -> JsonObject:
    return next(row for row in outcome.resources if row["name"] == name)


@pytest.mark.parametrize("job", [job for job in FAULTLESS if job in DISTURBED], ids=lambda job: job.name)
def test_run_that_was_stopped_at_any_request_is_resumed_without_loss_or_repeat(
    pump_database: PumpDatabase, job: Job
) -> None:
    whole = Life(pump_database, job)
    expected = whole.go()
    requests = len(whole.world.api.asked)

    for request in range(1, requests + 1, stride(-(-requests // 2))):
        life = Life(pump_database, job)
        life.stop_at(request)
        stopped = life.go()
        life.world.api.on_ask = lambda: None
        life.resume()
        outcome = life.go()

        assert stopped.run["status"] == "stopped"
        assert outcome == expected
        repeated = Counter(life.world.api.asked).total() - requests
        assert repeated <= (2 * life.world.settings.requests_per_account if job.has_parallel_requests else 1)
        if job.to_webhook:
            assert [kind for kind in life.events() if "record" not in kind] in (
                ["created", "started", "updated", "completed"],
                # It was stopped before it had begun.
                ["created", "started", "completed"],
            )


def test_errors_only_asks_again_for_exactly_what_failed_and_brings_the_skipped_children(
    pump_database: PumpDatabase,
) -> None:
    life = Life(pump_database, BY_NAME["faults-ignored"])
    before = life.go()
    asked_before, found = Counter(life.world.api.asked), [life.is_found_with_errors()]

    life.heal(
        members_of_team_2=[{"id": "late-1"}, {"id": "late-2"}], badges_of_late_1=[{"id": "b"}], badges_of_late_2=[]
    )
    life.resume(errors_only=True)
    found.append(life.is_found_with_errors())
    after = life.go()
    found.append(life.is_found_with_errors())

    assert found == [True, False, True]

    assert (before.run["status"], after.run["status"]) == ("completed", "completed")
    assert asked_before[("members", "list", "team-2", 0)] == 1
    assert Counter(life.world.api.asked) == Counter(
        {
            ("members", "list", "team-2", 0): 1,
            ("badges", "list", "late-1", 0): 1,
            ("badges", "list", "late-2", 0): 1,
            ("badges", "list", "team-3-member-2", 0): 1,
            ("orders", "list", None, 1): 1,
        }
    )
    for name in ("members", "badges", "orders", "lines"):
        row = counters(after, name)
        assert (row["errors"] - row["retried"], row["skipped"]) == (0, 0), name
    assert ("members", "late-1") in after.records
    # A placeholder that names nothing fails again; a loop over what is no array is no request.
    assert counters(after, "lost")["errors"] == 2 * counters(before, "lost")["errors"]
    assert counters(after, "looped") == counters(before, "looped")


def test_run_that_failed_fast_is_resumed_at_the_page_that_failed(pump_database: PumpDatabase) -> None:
    life = Life(pump_database, BY_NAME["fail-fast-to-webhook"])
    failed = life.go()

    life.heal()
    life.resume()
    outcome = life.go()

    assert (failed.run["status"], outcome.run) == ("failed", {"status": "completed", "error": None})
    assert life.world.api.asked == [("users", "list", None, 2)]
    assert [kind for kind in life.events() if "record" not in kind] == [
        "created",
        "started",
        "failed",
        "updated",
        "completed",
    ]
    assert sum(outcome.delivered.values()) == len(records_of(life.job)) + 1
    assert life.ask("select resumes from sync_job_run where id = :run_id") == 1


def test_run_whose_cause_of_failure_is_still_there_fails_again(pump_database: PumpDatabase) -> None:
    life = Life(pump_database, BY_NAME["fail-fast"])
    life.go()

    life.resume()
    outcome = life.go()

    assert (outcome.run["status"], len(outcome.errors), life.is_found_with_errors()) == ("failed", 2, True)


def test_errors_only_of_a_stopped_run_never_claims_completion_and_leaves_the_rest_to_a_later_resume(
    pump_database: PumpDatabase,
) -> None:
    life = Life(pump_database, BY_NAME["faults-ignored"])
    life.world.api.on_ask = lambda: life.world.api.asked.count(("orders", "list", None, 1)) and life.stop()
    stopped = life.go()
    assert stopped.run["status"] == "stopped"

    life.heal(members_of_team_2=[])
    life.resume(errors_only=True)
    partly = life.go()
    life.resume()
    wholly = life.go()

    assert (partly.run["status"], partly.run["error"]["code"]) == ("failed", "unfinished")
    assert wholly.run["status"] == "completed"
    ids = {row["id"] for owners in life.job.api.values() for rows in owners.values() for row in rows}
    assert {id for _, id in wholly.records} == {id for id in ids if not id.startswith("team-2-")}


def test_run_without_anything_left_is_not_resumed(pump_database: PumpDatabase) -> None:
    life = Life(pump_database, BY_NAME["flat"])
    life.go()

    with pytest.raises(ConflictError, match="nothing to resume"):
        life.resume()

    assert life.ask("select status from sync_job_run where id = :run_id") == "completed"


def test_second_resume_of_a_live_run_changes_nothing_and_a_later_stop_wins(pump_database: PumpDatabase) -> None:
    life = Life(pump_database, BY_NAME["flat"])
    life.stop_at(2)
    life.go()
    life.world.api.on_ask = lambda: None

    life.resume()
    life.resume(errors_only=True)
    life.stop()
    outcome = life.go()

    assert life.ask("select resumes from sync_job_run where id = :run_id") == 1
    assert outcome.run["status"] == "stopped"
    assert len(life.world.api.asked) == 2


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_books_of_every_job_balance_when_recounted(pump_database: PumpDatabase, job: Job) -> None:
    assert Life(pump_database, job).go().run["status"] == job.status


@pytest.mark.parametrize(
    ("job", "tampering", "imbalance"),
    [
        ("family", "update run_resource set fetched = 9 where name = 'members'", "requests = objects of members"),
        ("family", "update unit set pages = 0", "pages = pages of its units"),
        ("faults-ignored", "delete from run_error", "errors = errors that are listed"),
        ("faults-ignored", "update unit set frontier = '{}'", "skipped = failed requests of orders"),
        ("family", "update run_resource set created = 0, unchanged = created", "records of this run <= created"),
        ("family", "update unit set elements = '[]'", "requests = objects of teams"),
        ("pair-to-webhook", "delete from delivery", "queued = records in its events"),
    ],
)
def test_recount_notices_what_was_tampered_with(
    pump_database: PumpDatabase, job: str, tampering: str, imbalance: str
) -> None:
    life = Life(pump_database, BY_NAME[job])
    life.go()
    sql = f"{tampering} {'and' if 'where' in tampering else 'where'} run_id = :run_id"
    with pump_database.engine.begin() as connection:
        connection.execute(text(sql), {"run_id": life.run_id})

    assert any(imbalance in found for found in life.imbalances())


def test_run_that_was_stopped_before_it_began_is_begun(pump_database: PumpDatabase) -> None:
    life = Life(pump_database, BY_NAME["family"])
    life.stop()
    life.go()

    life.resume()
    outcome = life.go()

    assert outcome.run["status"] == "completed"
    assert outcome.records == records_of(life.job)


def test_a_spool_that_gathered_too_much_is_an_error_that_a_resume_with_more_room_mends(
    pump_database: PumpDatabase,
) -> None:
    job = BY_NAME["transforms-and-spools"]
    life = Life(pump_database, job)
    room = life.world.settings
    life.world.settings = replace(room, spool_bytes=10)

    cut = life.go()
    life.world.settings = room
    life.resume(errors_only=True)
    whole = life.go()

    assert [(error["resource"], error["code"]) for error in cut.errors] == [("all", "spool")]
    assert cut.run["status"] == whole.run["status"] == RunStatus.COMPLETED
    assert ("sizes", "sum") not in cut.records
    assert whole.records == records_of(job)
