"""Units keep when they were worked on, and why that ended, by the statements that change them anyway."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.engine.runs.spells import SpellEnd
from app.engine.runs.work import Claim
from app.engine.status import RunStatus
from app.store.dashboard.run_parts import RunPartReader
from app.store.db.database import connect
from app.store.runs import reopening, status
from app.store.units.spells import MOST_SPELLS
from tests.integration.store.units.test_fakes_of_units import Subject, real
from tests.support.claiming import terms
from tests.support.servers import PostgresServer

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def engine(postgres_server: PostgresServer) -> Iterator[Engine]:
    with postgres_server.fresh_database() as url:
        engine = connect(url)
        yield engine
        engine.dispose()


class OneUnit:
    """A unit that is made an hour older whenever a test wants time to pass."""

    def __init__(self, engine: Engine, subject: Subject) -> None:
        self.engine, self.units = engine, subject.units
        self.run_id, self.id = subject.account_id, subject.ids[0]

    def claim(self) -> Claim:
        claim = self.units.claim(self.id, terms())
        assert claim is not None
        return claim

    def pass_hour(self) -> None:
        self.change("""
            created_at = created_at - interval '1 hour', updated_at = updated_at - interval '1 hour',
            held_since = held_since - interval '1 hour', lease_expires_at = lease_expires_at - interval '1 hour',
            wake_at = wake_at - interval '1 hour', worked = coalesce((
                select jsonb_agg(jsonb_build_array((s.one ->> 0)::bigint - 3600000, (s.one ->> 1)::bigint - 3600000,
                                                   s.one ->> 2) order by s.at)
                  from jsonb_array_elements(worked) with ordinality s (one, at)), '[]')""")

    def change(self, assignments: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(f"update unit set {assignments} where id = :id"), {**values, "id": self.id})

    def told(self) -> list[tuple[str, int]]:
        """Return its stretches: what each is, and its hours."""
        parts = RunPartReader(self.engine).read(self.run_id, has_webhook=False)
        (span,) = (one for one in parts.units.shown if one.id == self.id)
        with self.engine.connect() as connection:
            now = connection.execute(text("select now()")).scalar_one()
        stretches = [(one.wait or "work", one.ended_at - one.begun_at) for one in span.list_stretches(now)]
        return [
            (what, round(length.total_seconds() / 3600)) for what, length in stretches if length.total_seconds() > 60
        ]


@pytest.fixture
def unit(engine: Engine) -> Iterator[OneUnit]:
    subject = real(engine)
    yield OneUnit(engine, subject)
    with engine.begin() as connection:
        connection.execute(text("delete from sync_job_run where id = :id"), {"id": subject.account_id})
        connection.execute(text("delete from environment"))


def test_time_of_a_unit_is_kept_from_its_first_wait_to_its_last_work(unit: OneUnit) -> None:
    unit.pass_hour()
    claim = unit.claim()
    unit.pass_hour()
    unit.units.hold(claim, lease_seconds=9)
    unit.units.hand_back(claim, wake_seconds=3000, end=SpellEnd.LIMIT)
    unit.pass_hour()
    unit.claim()
    unit.pass_hour()  # Its worker has died, having renewed nothing.
    unit.pass_hour()
    unit.claim()
    unit.pass_hour()

    assert unit.told() == [("turn", 1), ("work", 1), ("limit", 1), ("lost", 2), ("work", 1)]


def test_slices_that_follow_each_other_are_one_spell(unit: OneUnit) -> None:
    claim = unit.claim()
    for _ in range(3):
        unit.pass_hour()
        unit.units.hold(claim, lease_seconds=9)
        unit.units.hand_back(claim)
        claim = unit.claim()

    assert unit.told() == [("work", 3)]


def test_newest_spells_alone_are_kept(unit: OneUnit) -> None:
    for _ in range(MOST_SPELLS + 3):
        claim = unit.claim()
        unit.pass_hour()
        unit.units.hold(claim, lease_seconds=9)
        unit.units.hand_back(claim, end=SpellEnd.RETRY)
        unit.pass_hour()

    assert unit.told() == [("work", 1), ("retry", 1)] * MOST_SPELLS


def test_run_that_is_stopped_and_resumed_ends_a_spell(unit: OneUnit) -> None:
    unit.claim()
    unit.pass_hour()
    with unit.engine.begin() as connection:
        status.move(connection, unit.run_id, RunStatus.STOPPED)
    unit.pass_hour()
    with unit.engine.begin() as connection:
        reopening.reopen(connection, unit.run_id, errors_only=False)
        connection.execute(text("update sync_job_run set status = 'running' where id = :id"), {"id": unit.run_id})
    unit.change("status = 'ready'")
    unit.claim()

    assert unit.told() == [("work", 1), ("ended", 1)]
