"""What a run begins with, and who takes it up: each is one statement."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from app.engine.ids import new_id
from app.engine.runs.work import Claim, UnitDraft
from app.store.db.autocommit import autocommit_of
from app.store.db.database import connect
from app.store.runs.moves import RunMoves
from app.store.units.units import UnitStore
from tests.support.claiming import terms

ME = new_id()
PARENT = {"id": "ü\\\"'", "big": 12345678901234567890123}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def run(engine: Engine) -> tuple[str, str]:
    """Write a run under way that has not begun; give its id and its resource's."""
    ids = {name: new_id() for name in ("environment", "run", "resource")}
    with engine.begin() as connection:
        for statement in (
            "insert into environment (id, name) values (:environment, 'e')",
            """insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args,
                                         args_hash, resources, sync_job, queue)
               values (:run, :environment, :run, :run, 'running', '{}', '', '[]', '{}', 'q')""",
            """insert into run_resource (id, run_id, name, resource, method, persist, position)
               values (:resource, :run, 'tickets', 'tickets', 'list', true, 0)""",
        ):
            connection.execute(text(statement), {name: id for name, id in ids.items() if f":{name}" in statement})
    return ids["run"], ids["resource"]


def begin(engine: Engine, run_id: str, units: list[UnitDraft]) -> bool:
    return RunMoves(engine).start(run_id, units=units, events=(), errors=())


def claim_next(engine: Engine, resource_id: str, *, most_of_account: int = 9) -> Claim | None:
    return UnitStore(engine).claim_next(resource_id, terms(owner=ME, most_of_account=most_of_account))


def test_units_are_written_whole_and_once(engine: Engine, run: tuple[str, str]) -> None:
    run_id, resource_id = run
    units = [UnitDraft(id=new_id(), resource_id=resource_id, elements=[PARENT]) for _ in range(2)]

    assert begin(engine, run_id, units)
    assert not begin(engine, run_id, [UnitDraft(id=new_id(), resource_id=resource_id)])

    claims = [claim_next(engine, resource_id), claim_next(engine, resource_id)]
    assert [(claim.run_id, claim.attempts, claim.elements) for claim in claims if claim] == [(run_id, 1, [PARENT])] * 2
    assert {claim.unit_id for claim in claims if claim} == {unit.id for unit in units}
    assert claim_next(engine, resource_id) is None


def test_run_may_begin_with_no_units(engine: Engine, run: tuple[str, str]) -> None:
    assert begin(engine, run[0], [])
    assert not begin(engine, run[0], [])


def test_run_that_has_ended_does_not_begin(engine: Engine, run: tuple[str, str]) -> None:
    run_id, resource_id = run
    with engine.begin() as connection:
        connection.execute(text("update sync_job_run set status = 'stopped' where id = :id"), {"id": run_id})

    assert not begin(engine, run_id, [UnitDraft(id=new_id(), resource_id=resource_id)])
    assert claim_next(engine, resource_id) is None


def test_next_unit_waits_for_room(engine: Engine, run: tuple[str, str]) -> None:
    run_id, resource_id = run
    begin(engine, run_id, [UnitDraft(id=new_id(), resource_id=resource_id) for _ in range(2)])

    assert claim_next(engine, resource_id, most_of_account=1) is not None
    assert claim_next(engine, resource_id, most_of_account=1) is None
    assert claim_next(engine, resource_id, most_of_account=2) is not None


def test_commits_after_those_that_nobody_waits_for_are_waited_for(engine: Engine, run: tuple[str, str]) -> None:
    run_id, resource_id = run
    with engine.begin() as connection:
        connection.execute(text("update sync_job_run set status = 'created' where id = :id"), {"id": run_id})

    assert RunMoves(engine).take_up(run_id, daemon_id="d")
    assert begin(engine, run_id, [UnitDraft(id=new_id(), resource_id=resource_id)])

    # A claim's fence, and all that is written under it, must outlive Postgres.
    row = autocommit_of(engine).one(text("select current_setting('synchronous_commit') as value"), {})
    assert row == {"value": "on"}
