"""Runs that can never end by themselves are freed or ended, and upstreams that lead nowhere are left."""

from concurrent.futures import Future

import pytest
from sqlalchemy import text

from app.bootstrap.api import build_api_services
from app.engine.json_types import JsonObject
from app.engine.status import RunStatus
from app.services.ports import FetchedPage, PageCall
from app.store.runs.moves import RunMoves
from app.store.runs.runs import RunStore
from tests.support.pump import Pump, World
from tests.support.pump_database import PumpDatabase
from tests.support.pump_jobs import JOBS, MemoryApi, records_of

pytestmark = pytest.mark.timeout(120)
BY_NAME = {job.name: job for job in JOBS}
AGED = (
    "update unit set updated_at = now() - interval '1 hour' where run_id = :run_id",
    "update sync_job_run set updated_at = now() - interval '1 hour' where id = :run_id",
)


class Circle(MemoryApi):
    """Gives a few records, and from then on empty pages, each with a new cursor."""

    def submit(self, call: PageCall) -> "Future[FetchedPage]":
        page = int((call.cursor or {}).get("page", 0))
        self.asked.append((call.resource, call.method, None, page))
        future: Future[FetchedPage] = Future()
        records: list[JsonObject] = [{"id": str(page)}] if page < 3 else []
        cursor = {"page": page + 1}
        future.set_result(FetchedPage(records=[*records], next_cursor=cursor, server_date=None, url="m", status=200))
        return future


def execute(database: PumpDatabase, run_id: str, *statements: str) -> None:
    with database.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement), {"run_id": run_id})


def life_goes_on(world: World, run_id: str) -> None:
    """Let the user resume the run."""
    services = build_api_services(world.settings, world.outside(world.database.engine))
    run = RunStore(world.database.engine).load(run_id)
    assert run is not None
    services.runs.resume(run.environment_id, run_id, errors_only=False)


def stuck(database: PumpDatabase, run_id: str) -> bool:
    return run_id in RunStore(database.engine).stuck(seconds=300, limit=1000)


def begun(world: World) -> str:
    """Post a run and begin it, with every message lost."""
    run_id = world.post()
    with Pump(world) as pump:
        pump.daemon.lifecycle.mark_running(run_id, daemon_id="d")
        pump.daemon.lifecycle.start(run_id)
    world.mailbox.waiting.clear()
    return run_id


def test_unit_that_gets_empty_pages_for_ever_fails_its_run_as_stalled(pump_database: PumpDatabase) -> None:
    world = World(pump_database, BY_NAME["flat"], limits={"slice_pages": 1, "stalled_slices": 5})
    world.api = Circle(world.job)
    run_id = world.post()

    with Pump(world) as pump:
        outcome = pump.run(run_id)

    assert (outcome.run["status"], outcome.run["error"]["code"]) == ("failed", "stalled")
    assert outcome.run["error"]["resource"] == "users"
    assert '{"page": 8}' in outcome.run["error"]["message"]
    assert len(world.api.asked) == 3 + 5


def test_units_that_wait_for_nothing_are_freed(pump_database: PumpDatabase) -> None:
    world = World(pump_database, BY_NAME["flat"])
    run_id = begun(world)
    execute(pump_database, run_id, "update unit set status = 'blocked' where run_id = :run_id", *AGED)
    assert stuck(pump_database, run_id)

    with Pump(world) as pump:
        assert pump.daemon.lifecycle.rescue(run_id)
        outcome = pump.run(run_id)

    assert outcome.run["status"] == "completed"
    assert outcome.records == records_of(world.job)


def test_events_without_anybody_to_deliver_them_get_their_unit_back(pump_database: PumpDatabase) -> None:
    world = World(pump_database, BY_NAME["pair-to-webhook"])
    run_id = begun(world)
    execute(
        pump_database, run_id, "update unit set status = 'idle' where run_id = :run_id and kind = 'delivery'", *AGED
    )

    with Pump(world) as pump:
        assert pump.daemon.lifecycle.rescue(run_id)
        outcome = pump.run(run_id)

    assert outcome.run["status"] == "completed"


def test_run_whose_start_never_succeeds_ends_as_stuck_and_can_be_resumed(pump_database: PumpDatabase) -> None:
    world = World(pump_database, BY_NAME["flat"])
    run_id = world.post()
    RunMoves(pump_database.engine).take_up(run_id, daemon_id="d")
    execute(pump_database, run_id, *AGED)
    world.mailbox.waiting.clear()

    with Pump(world) as pump:
        assert not pump.daemon.lifecycle.rescue(run_id)
        pump.daemon.lifecycle.fail_stuck(run_id, attempts=4)
        failed = pump.run(run_id)
    life_goes_on(world, run_id)
    with Pump(world) as pump:
        outcome = pump.run(run_id)

    assert (failed.run["status"], failed.run["error"]["code"]) == ("failed", "stuck")
    assert "units: none at all" in failed.run["error"]["message"]
    assert (outcome.run["status"], outcome.records) == ("completed", records_of(world.job))


def test_first_sweep_after_an_outage_of_everything_ends_no_run(pump_database: PumpDatabase) -> None:
    world = World(pump_database, BY_NAME["flat"])
    run_id = world.post()
    RunMoves(pump_database.engine).take_up(run_id, daemon_id="d")
    execute(pump_database, run_id, *AGED)
    world.mailbox.waiting.clear()

    with Pump(world) as pump:
        outcome = pump.run(run_id)

    assert outcome.run["status"] == "completed"


def test_sweeper_looks_after_stuck_runs_by_itself(pump_database: PumpDatabase) -> None:
    world = World(pump_database, BY_NAME["flat"])
    run_id = begun(world)
    execute(pump_database, run_id, "update unit set status = 'blocked' where run_id = :run_id", *AGED)

    with Pump(world) as pump:
        outcome = pump.run(run_id)

    assert outcome.run["status"] == "completed"


@pytest.mark.parametrize(
    "sign_of_life",
    [
        "update unit set status = 'leased', lease_expires_at = now() where run_id = :run_id",
        "update unit set wake_at = now() + interval '1 day' where run_id = :run_id",
        "update unit set status = 'done', updated_at = now() where run_id = :run_id",
        "update sync_job_run set updated_at = now() where id = :run_id",
        "update sync_job_run set status = 'created' where id = :run_id",
    ],
)
def test_run_that_somebody_works_on_is_not_stuck(pump_database: PumpDatabase, sign_of_life: str) -> None:
    world = World(pump_database, BY_NAME["flat"])
    run_id = begun(world)
    execute(pump_database, run_id, *AGED, sign_of_life)

    assert not stuck(pump_database, run_id)

    RunMoves(pump_database.engine).move(run_id, RunStatus.STOPPED)


def test_run_without_units_whose_group_has_no_daemon_waits_for_one(pump_database: PumpDatabase) -> None:
    world = World(pump_database, BY_NAME["flat"])
    run_id = world.post()
    RunMoves(pump_database.engine).take_up(run_id, daemon_id="d")
    execute(
        pump_database,
        run_id,
        *AGED,
        "update sync_job_run set daemon_group_key = 'nobody' where id = :run_id",
    )

    assert not stuck(pump_database, run_id)
