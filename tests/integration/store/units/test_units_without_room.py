"""Units that can not be claimed for want of room: whose turn it is next."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from app.engine.ids import new_id
from app.store.db.database import connect
from app.store.units.units import UnitStore

EXPIRED = "now() - interval '1 second'"
HELD = "now() + interval '1 minute'"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


def unit(engine: Engine, *, status: str, expiry: str = "null") -> tuple[str, str]:
    """Write a unit of a run under way; give its id and its account's."""
    ids = {name: new_id() for name in ("environment", "run", "unit")}
    with engine.begin() as connection:
        for statement in (
            "insert into environment (id, name) values (:environment, 'e')",
            """insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args,
                                         args_hash, resources, sync_job, queue)
               values (:run, :environment, :run, :run, 'running', '{}', '', '[]', '{}', 'q')""",
            "insert into unit (id, run_id, kind, status, elements, lease_expires_at)"
            f" values (:unit, :run, 'fetch', '{status}', '[{{}}]', {expiry})",
        ):
            connection.execute(text(statement), {name: id for name, id in ids.items() if f":{name}" in statement})
    return ids["unit"], ids["run"]


@pytest.mark.parametrize(("status", "expiry"), [("ready", "null"), ("leased", EXPIRED)], ids=["new", "orphaned"])
def test_unit_that_nobody_works_on_waits_for_room(engine: Engine, status: str, expiry: str) -> None:
    """Else an orphaned unit that found no room waits for the sweeper to ring it once more."""
    units = UnitStore(engine)
    unit_id, account_id = unit(engine, status=status, expiry=expiry)

    crowded, following = units.find_crowded_out(unit_id), units.take_next_of_account(account_id)

    assert crowded is not None
    assert (crowded.account_id, crowded.dispatch.unit_id) == (account_id, unit_id)
    assert following is not None
    assert following.unit_id == unit_id


def test_unit_that_somebody_works_on_waits_for_nothing(engine: Engine) -> None:
    units = UnitStore(engine)
    unit_id, account_id = unit(engine, status="leased", expiry=HELD)

    assert units.find_crowded_out(unit_id) is None
    assert units.take_next_of_account(account_id) is None
