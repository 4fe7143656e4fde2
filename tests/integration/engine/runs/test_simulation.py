"""Many histories of one run under three daemons: whatever happens, it ends alike and its webhook hears it in order."""

import os
from collections.abc import Iterator

import pytest

from tests.support.pump import Pump, World
from tests.support.pump_database import Outcome, PumpDatabase
from tests.support.pump_jobs import JOBS, Job
from tests.support.pump_simulation import Simulation, Weather
from tests.support.servers import PostgresServer

FIRST = int(os.environ.get("SIMULATION_FIRST_SEED", "0"))
SEEDS = int(os.environ.get("SIMULATION_SEEDS", "3"))

SIMULATED = [job for job in JOBS if job.name in ("flat", "family", "loop", "pair-to-webhook", "faults-to-webhook")]
FAIR, FOUL = Weather(), Weather(lose=0.2, double=0.2, kill=0.02, sleep=0.02, sweep=0.02)


@pytest.fixture(scope="module")
def pump_database(postgres_server: PostgresServer) -> Iterator[PumpDatabase]:
    """A database of its own: the leader would also send what runs of other tests have left."""
    with PumpDatabase.on(postgres_server) as database:
        yield database


@pytest.fixture(scope="module")
def expected(pump_database: PumpDatabase) -> dict[str, Outcome]:
    """What each job comes to when nothing goes wrong."""
    outcomes = {}
    for job in SIMULATED:
        world = World(pump_database, job)
        with Pump(world) as pump:
            outcomes[job.name] = pump.run(world.post())
    return outcomes


@pytest.mark.timeout(180 + SEEDS)
@pytest.mark.parametrize("weather", [FAIR, FOUL], ids=["fair", "foul"])
@pytest.mark.parametrize("job", SIMULATED, ids=lambda job: job.name)
def test_every_history_comes_to_the_same_end(
    pump_database: PumpDatabase, expected: dict[str, Outcome], job: Job, weather: Weather
) -> None:
    for seed in range(FIRST, FIRST + SEEDS):
        simulation = Simulation(pump_database, job, seed, weather, slice_pages=seed % 3)
        try:
            outcome = simulation.run()
        finally:
            simulation.close()

        assert outcome == expected[job.name], f"seed {seed}"
        firsts = dict.fromkeys(event_id for event_id, _ in simulation.world.receiver.taken)
        assert list(firsts) == pump_database.event_ids(simulation.run_id), f"seed {seed}"
