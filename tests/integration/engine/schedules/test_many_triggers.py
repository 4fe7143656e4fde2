"""Thousands of triggers of one minute make their runs in one turn, and none of them merges."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from app.bootstrap.shared import Shared, build_run_drafts
from app.services.ports import QueueState
from app.services.schedules.scheduler import CronScheduler
from app.store.runs.outbox import OutboxStore
from app.store.schedules.triggers import TriggerStore
from tests.support.led_place import LedPlace, led_place
from tests.support.pump_database import PumpDatabase

MANY = 1500
_COPY = """
    insert into sync_job_cron_trigger (id, environment_id, sync_job_id, integrated_account_id, cron_expression,
                                       timezone, args, enabled, next_run_at)
    select gen_random_uuid(), environment_id, id, cast(:account as uuid), :cron, 'UTC', '{}', true,
           date_trunc('minute', now()) - make_interval(mins => :minutes_late)
      from sync_job, generate_series(1, :copies) where id = :job
"""
_RUNS = """
    select count(*) as runs, count(distinct fire.due_at) as due_times,
           count(*) filter (where run.id is null) as lost
      from cron_trigger_fire fire left join sync_job_run run on run.id = fire.sync_job_run_id
     where fire.environment_id = :environment
"""


@pytest.fixture
def place(pump_database: PumpDatabase) -> Iterator[LedPlace]:
    with led_place(pump_database) as found:
        yield found


@dataclass
class CountingBell:
    """A bell that remembers for which runs it rang."""

    run_ids: list[str] = field(default_factory=list)

    def dispatch(self, wake_ups: object) -> bool:
        raise AssertionError(wake_ups)

    def publish(self, task: str, args: list[str], *, queue: str) -> bool:
        raise AssertionError(task)

    def dispatch_again(self, run_id: str, unit_id: str | None, *, queue: str) -> bool:
        return False

    def look_at(self, queues: object) -> dict[str, QueueState]:
        raise AssertionError(queues)

    def is_reachable(self) -> bool:
        return True

    def dispatch_run(self, run_id: str, *, queue: str) -> bool:
        self.run_ids.append(run_id)
        return True


def make_due(place: LedPlace, *, copies: int, minutes_late: int = 0, cron: str = "* * * * *") -> None:
    with place.engine.begin() as connection:
        values = {"account": place.sound, "job": place.job, "copies": copies, "minutes_late": minutes_late}
        connection.execute(text(_COPY), {**values, "cron": cron})


def fire(place: LedPlace) -> CountingBell:
    """Fire what is due in one turn."""
    dispatcher, settings = CountingBell(), place.world.settings
    shared = Shared(settings, place.world.outside(place.engine))
    scheduler = CronScheduler(
        triggers=TriggerStore(place.engine),
        drafts=build_run_drafts(shared, settings),
        remove_message=OutboxStore(place.engine).remove_soon,
        dispatcher=dispatcher,
        # A turn ends after some seconds: however slow the machine, this one does not.
        monotonic=lambda: 0.0,
    )
    scheduler.run_due_now()
    return dispatcher


def counted(place: LedPlace) -> dict[str, int]:
    with place.engine.connect() as connection:
        row = connection.execute(text(_RUNS), {"environment": place.environment}).mappings().one()
        return dict(row)


def test_thousands_of_triggers_of_one_minute_make_their_runs_in_one_turn(place: LedPlace) -> None:
    make_due(place, copies=MANY, cron="0 0 1 1 *")

    dispatcher = fire(place)

    assert len(set(dispatcher.run_ids)) == MANY
    assert counted(place) == {"runs": MANY, "due_times": 1, "lost": 0}


def test_each_due_time_makes_its_run_however_late_it_is_come_to(place: LedPlace) -> None:
    make_due(place, copies=3, minutes_late=3)

    fire(place)

    found = counted(place)
    # Minutes go on meanwhile.
    assert found["due_times"] >= 4
    assert found["runs"] == 3 * found["due_times"]


def test_due_times_that_nobody_came_to_for_long_make_one_run_together(place: LedPlace) -> None:
    make_due(place, copies=1, minutes_late=600)

    fire(place)

    assert counted(place)["runs"] <= 2


def test_one_that_breaks_a_batch_leaves_the_others_their_runs(place: LedPlace) -> None:
    make_due(place, copies=20)
    place.execute("alter table sync_job_run add constraint poison check (args <> '{\"bad\": 1}') not valid", "")
    try:
        place.execute(
            "update sync_job_cron_trigger set args = '{\"bad\": 1}' where id = "
            "(select id from sync_job_cron_trigger where environment_id = :id limit 1)",
            place.environment,
        )
        dispatcher = fire(place)
    finally:
        place.execute("alter table sync_job_run drop constraint poison", "")

    assert len(dispatcher.run_ids) >= 19
    with place.engine.connect() as connection:
        errors = text("select error from cron_trigger_fire where environment_id = :id and error is not null")
        told = connection.execute(errors, {"id": place.environment}).scalars().all()
    assert set(told) == {"it broke with IntegrityError"}
