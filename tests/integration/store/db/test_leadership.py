"""One daemon leads, one stands by, and the lead moves when the leader goes, however it goes."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, text

from app.engine.errors import StoreUnavailableError
from app.store.db.database import connect
from app.store.db.leadership import Leadership
from tests.support.patience import WaitFor

ANYTHING = text("select 1 as one")


class Clock:
    """A time that all candidates share."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


Candidate = Callable[..., Leadership]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(direct_database_url: str) -> Iterator[Engine]:
    made = connect(direct_database_url, is_pooled=False)
    yield made
    made.dispose()


@pytest.fixture
def candidate(engine: Engine, clock: Clock) -> Iterator[Candidate]:
    made: list[Leadership] = []

    def make(silence_seconds: float = 60) -> Leadership:
        made.append(
            Leadership(engine, silence_seconds=silence_seconds, monotonic=clock, chance=lambda: 0.5),
        )
        return made[-1]

    yield make
    for leadership in made:
        leadership.resign()


def test_lead_moves_within_seconds_to_the_one_that_stands_by_and_its_place_to_another(
    candidate: Candidate, clock: Clock, engine: Engine, wait_for: WaitFor
) -> None:
    first, second, third = (candidate() for _ in range(3))
    assert [one.is_held() for one in (first, second, third)] == [True, False, False]

    clock.now = 1
    end(first, engine, wait_for)
    clock.now = 3
    assert [one.is_held() for one in (second, third)] == [True, False]
    clock.now = 5
    assert not third.is_held()
    end(second, engine, wait_for)
    clock.now = 8

    assert third.is_held()


def end(leader: Leadership, engine: Engine, wait_for: WaitFor) -> None:
    """End a leader, and wait until Postgres has seen the end of its session."""
    count = text("select count(*) from pg_locks where locktype = 'advisory'")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        before = connection.execute(count).scalar_one()
        leader.resign()
        wait_for(lambda: connection.execute(count).scalar_one() < before, what="the end of the session")


def test_leader_that_was_cut_off_learns_of_it_and_stands_again(
    candidate: Candidate, clock: Clock, engine: Engine
) -> None:
    leader = candidate()
    assert leader.is_held()
    assert leader.read_row(ANYTHING, {}).one == 1

    with engine.connect() as other:
        other.execute(text("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"))
    with pytest.raises(StoreUnavailableError):
        leader.read_row(ANYTHING, {})

    assert leader.is_held()


def test_daemon_that_does_not_lead_may_not_ask(candidate: Candidate) -> None:
    with pytest.raises(StoreUnavailableError, match="does not lead"):
        candidate().read_row(ANYTHING, {})


def test_silent_leader_loses_the_lead(candidate: Candidate, clock: Clock, wait_for: WaitFor) -> None:
    silent, other = candidate(silence_seconds=0.2), candidate()
    assert silent.is_held()

    def is_taken_over() -> bool:
        clock.now += 3
        return other.is_held()

    wait_for(is_taken_over, what="the lead")
    with pytest.raises(StoreUnavailableError):
        silent.read_row(ANYTHING, {})
    assert not silent.is_held()


def test_candidate_tries_again_after_postgres_was_away(clock: Clock) -> None:
    engine = connect("postgresql://nobody@127.0.0.1:1/none")
    leadership = Leadership(engine, silence_seconds=60, monotonic=clock, chance=lambda: 1.0)

    with pytest.raises(StoreUnavailableError):
        leadership.is_held()
    assert not leadership.is_held()
    clock.now = 3
    with pytest.raises(StoreUnavailableError):
        leadership.is_held()
    engine.dispose()
