"""Cron triggers of one minute: how soon all of them have made their runs, and a stranger's runs beside them."""

import time
from statistics import median
from typing import Any, Final

import psycopg

from bench.customer import POLL_SECONDS
from bench.measurement import BenchError, Figure, Measurement, at_most
from bench.samples import percentile
from bench.scenario import Scenario
from bench.workbench import Workbench
from bench.worlds import World, new_world

_RECORDS: Final = 1_000
_RUNS: Final = 5
_ACCOUNTS: Final = 50
_SIZES: Final = ((1_500, 10.0), (10_000, 60.0))
"""How many triggers are due at once, and within how many seconds their runs are to be made."""
_ONCE_A_YEAR: Final = "0 0 1 1 *"
_INSERT: Final = """
    insert into sync_job_cron_trigger (id, environment_id, sync_job_id, integrated_account_id, cron_expression,
                                       timezone, args, enabled, next_run_at)
    select gen_random_uuid(), environment_id, id, %(account)s, %(cron)s, 'UTC', '{}', true, now()
      from sync_job, generate_series(1, %(count)s) where id = %(job)s
"""
_MADE: Final = """
    select count(*), count(started_at), count(finished_at), extract(epoch from max(created_at) - %(due)s)::float,
           extract(epoch from max(started_at) - %(due)s)::float
      from sync_job_run where sync_job_id = %(job)s
"""
_END_SECONDS: Final = 900.0


def measure(workbench: Workbench) -> Measurement:
    """Fire triggers, as many as each size says, and run a stranger's sync beside the fewest."""
    world = new_world(workbench.effort.sized(_RECORDS))
    workbench.prepare(world)
    workbench.clear()
    _run_times(workbench, world, 1)
    quiet = _run_times(workbench, world, _RUNS)
    figures: list[Figure] = []
    beside: list[float] = []
    for size, within in _SIZES:
        triggers = _Triggers(workbench, workbench.effort.sized(size, least=_ACCOUNTS))
        if not beside:
            beside = _run_times(workbench, world, _RUNS)
        made, started = triggers.wait()
        workbench.say(f"{triggers.count:,} triggers: runs made within {made:.1f} s, begun within {started:.1f} s")
        figures += [
            Figure(name=f"{size:,} triggers, all runs made", value=made, unit="s", bar=at_most(within)),
            Figure(name=f"{size:,} triggers, all runs begun", value=started, unit="s"),
        ]
    workbench.say(f"a stranger: quiet {median(quiet):.2f} s, beside {median(beside):.2f} s")
    usual = percentile(quiet, 95)
    return Measurement(
        scenario="triggers",
        figures=[
            *figures,
            Figure(
                name="a stranger's run, beside / quiet",
                value=median(beside) / median(quiet),
                unit="×",
                bar=at_most(2),
                samples={"quiet, s": quiet, "beside, s": beside},
            ),
            Figure(name="beside, p95", value=percentile(beside, 95), unit="s", bar=at_most(max(3 * usual, usual + 1))),
            Figure(name="quiet, median", value=median(quiet), unit="s"),
        ],
        notes=[f"triggers of {_ACCOUNTS} accounts; {_RUNS} runs of {world.records:,} records on each side"],
    )


def _run_times(workbench: Workbench, world: World, count: int) -> list[float]:
    return [workbench.customer.run(workbench.customer.sync(workbench.url_of(world))).seconds for _ in range(count)]


class _Triggers:
    """Triggers that are due at one moment, of one-page jobs."""

    def __init__(self, workbench: Workbench, count: int) -> None:
        self._workbench = workbench
        self.count = count // _ACCOUNTS * _ACCOUNTS
        few = new_world(10)
        syncs = workbench.customer.syncs(workbench.prepare(few), _ACCOUNTS)
        self._job_id = syncs[0].job_id
        with psycopg.connect(workbench.stack.database_url) as connection:
            for sync in syncs:
                values = {"account": sync.account_id, "cron": _ONCE_A_YEAR, "job": sync.job_id}
                connection.execute(_INSERT, {**values, "count": self.count // _ACCOUNTS})
            # One moment for all: that of the transaction.
            self._due: Any = connection.execute("select now()").fetchone()

    def wait(self) -> tuple[float, float]:
        """Wait until all their runs are over; give within how many seconds all were made, and begun."""
        deadline = time.monotonic() + _END_SECONDS
        while True:
            with psycopg.connect(self._workbench.stack.database_url) as connection:
                found = connection.execute(_MADE, {"job": self._job_id, "due": self._due[0]}).fetchone()
            assert found is not None
            made, _, over, made_seconds, started_seconds = found
            if made > self.count:
                raise BenchError(f"{made:,} runs of {self.count:,} triggers")
            if over == self.count:
                return made_seconds, started_seconds
            if time.monotonic() > deadline:
                raise BenchError(f"{over:,} of {self.count:,} runs were over within {_END_SECONDS:g} s")
            time.sleep(POLL_SECONDS)


SCENARIOS = (
    Scenario(
        name="triggers",
        what="1,500 and 10,000 cron triggers of one minute, and a stranger's runs beside the 1,500",
        bar="all runs made within 10 s and 60 s; median at most 2 × of quiet, p95 at most 3 × or 1 s more",
        measure=measure,
    ),
)
