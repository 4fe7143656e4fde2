"""Runs of one job with one mutex key: never two at once, first come first served, whatever ends them."""

import itertools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from app.engine.ids import new_id
from app.engine.objects.runs import SyncJobRun
from app.engine.status import RunStatus
from app.services.maintenance.ports import LostBefore
from app.store.db.database import connect
from app.store.runs.moves import RunMoves
from app.store.runs.runs import RunStore
from tests.support.patience import wait_for

STARTERS = 20
ALL_LOST = {"queue": LostBefore(at=datetime(9999, 1, 1, tzinfo=UTC), is_empty=True)}
ENDS = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.STOPPED)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url, pool_size=STARTERS)
    with engine.begin() as connection:
        connection.execute(text("insert into environment (id, name) values (:id, 'e')"), {"id": new_id()})
    yield engine
    engine.dispose()


def create(engine: Engine, *, job: str, key: str | None = "key", force: bool = False) -> str:
    run_id = new_id()
    with engine.begin() as connection:
        connection.execute(
            text("""
                insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, args, args_hash,
                                          resources, sync_job, queue, mutex_key, force, rung_at)
                select :id, id, :job, :job, '{}', '', '[]', '{}', 'queue', :key, :force, now() - interval '1 hour'
                  from environment
            """),
            {"id": run_id, "job": job, "key": key, "force": force},
        )
    return run_id


def shown(engine: Engine, run_id: str) -> SyncJobRun:
    run = RunStore(engine).load(run_id)
    assert run is not None
    return run


def test_of_twenty_starters_at_once_never_two_run_and_all_have_their_turn(engine: Engine) -> None:
    job = new_id()
    run_ids = [create(engine, job=job) for _ in range(STARTERS)]
    moves = RunMoves(engine)
    at_once = threading.Barrier(STARTERS)

    def live(number: int) -> None:
        at_once.wait()
        wait_for(lambda: moves.take_up(run_ids[number], daemon_id=f"d{number}"), what=f"the turn of {number}")
        moves.move(run_ids[number], ENDS[number % len(ENDS)])

    threads = [threading.Thread(target=live, args=[number]) for number in range(STARTERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    runs = [shown(engine, run_id) for run_id in run_ids]
    spans = [(run.started_at, run.finished_at) for run in runs]
    assert spans == sorted(spans, key=lambda span: span[0] or 0)
    for (_, end), (start, _) in itertools.pairwise(spans):
        assert end is not None
        assert start is not None
        assert end < start


@pytest.mark.parametrize("end", [*ENDS, None], ids=lambda end: end or "gone")
def test_next_in_line_is_told_however_a_run_ends(engine: Engine, end: RunStatus | None) -> None:
    job, moves = new_id(), RunMoves(engine)
    first, second, third = (create(engine, job=job) for _ in range(3))
    assert moves.take_up(first, daemon_id="d")
    assert moves.find_next_in_line(first) is None
    assert (shown(engine, first).waiting_on, shown(engine, second).waiting_on) == (None, first)
    assert not moves.take_up(second, daemon_id="d")

    moves.move(first, end or RunStatus.STOPPED)
    following = moves.find_next_in_line(first)
    if end is None:
        RunStore(engine).delete(shown(engine, first).environment_id, first, announce=lambda _: [])

    assert following == (second, "queue")
    assert (shown(engine, second).waiting_on, shown(engine, third).waiting_on) == (None, second)
    assert not moves.take_up(third, daemon_id="d")
    assert moves.take_up(second, daemon_id="d")


def test_rate_limited_run_keeps_its_mutex(engine: Engine) -> None:
    job, moves = new_id(), RunMoves(engine)
    first, second = create(engine, job=job), create(engine, job=job)
    moves.take_up(first, daemon_id="d")

    moves.move(first, RunStatus.RATE_LIMITED)

    assert not moves.take_up(second, daemon_id="d")
    assert shown(engine, second).waiting_on == first


def test_runs_with_other_keys_other_jobs_or_no_key_wait_for_nobody(engine: Engine) -> None:
    job, moves = new_id(), RunMoves(engine)
    moves.take_up(create(engine, job=job), daemon_id="d")
    others = [
        create(engine, job=job, key="other"),
        create(engine, job=new_id()),
        create(engine, job=job, key=None),
        create(engine, job=job, key=None),
    ]

    assert [shown(engine, run_id).waiting_on for run_id in others] == [None] * 4
    assert all(moves.take_up(run_id, daemon_id="d") for run_id in others)


def test_forced_run_starts_at_once_and_is_waited_for_while_it_runs(engine: Engine) -> None:
    job, moves = new_id(), RunMoves(engine)
    first, second = create(engine, job=job), create(engine, job=job)
    moves.take_up(first, daemon_id="d")
    forced = create(engine, job=job, force=True)

    assert shown(engine, forced).waiting_on is None
    assert moves.take_up(forced, daemon_id="d")
    moves.move(first, RunStatus.COMPLETED)
    assert shown(engine, second).waiting_on == forced
    assert not moves.take_up(second, daemon_id="d")


def test_sweeper_rings_the_first_in_line_and_nobody_behind_it(engine: Engine) -> None:
    job, moves, runs = new_id(), RunMoves(engine), RunStore(engine)
    first, second, _ = (create(engine, job=job) for _ in range(3))

    rung_at_first = runs.dispatch_due(ALL_LOST, ring_after_seconds=30, limit=10)
    moves.take_up(first, daemon_id="d")
    moves.move(first, RunStatus.FAILED)
    rung_after_its_end = runs.dispatch_due(ALL_LOST, ring_after_seconds=30, limit=10)

    assert (rung_at_first, rung_after_its_end) == ([(first, "queue")], [(second, "queue")])
