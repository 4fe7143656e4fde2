"""Units in Postgres, and those that stand for them in unit tests, do what ``app.services.units.ports.Units`` says."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.engine.errors import LeaseLostError
from app.engine.ids import new_id
from app.engine.runs.spells import SpellEnd
from app.engine.runs.work import UnitDraft
from app.services.units.ports import Units
from app.store.db.database import connect
from app.store.units.units import UnitStore
from tests.support.claiming import terms
from tests.unit.services.service_world import FakeUnits


@dataclass
class Subject:
    """Three units of one resource of an account's run."""

    units: Units
    resource_id: str
    account_id: str
    ids: list[str]
    lose: Callable[[str], object]
    """Lets another worker take a unit."""


def fake() -> Subject:
    units, ids = FakeUnits(), [new_id() for _ in range(3)]
    units.add(*(UnitDraft(id=id, resource_id="resource", elements=[{}]) for id in ids))
    return Subject(units, "resource", "account", ids, units.lose)


def real(engine: Engine) -> Subject:
    known = {name: new_id() for name in ("environment", "run", "resource")}
    ids = [new_id() for _ in range(3)]

    def execute(statement: str, **more: Any) -> None:
        values = {name: id for name, id in {**known, **more}.items() if f":{name}" in statement}
        with engine.begin() as connection:
            connection.execute(text(statement), values)

    execute("insert into environment (id, name) values (:environment, 'e')")
    execute("""insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args,
                                         args_hash, resources, sync_job, queue)
               values (:run, :environment, :run, :run, 'running', '{}', '', '[]', '{}', 'daemon-group.blue')""")
    execute("""insert into run_resource (id, run_id, position, name, resource, method, persist)
               values (:resource, :run, 0, 'tickets', 'tickets', 'list', true)""")
    for id in ids:
        execute(
            "insert into unit (id, run_id, resource_id, kind, status, elements)"
            " values (:unit, :run, :resource, 'fetch', 'ready', '[{}]')",
            unit=id,
        )

    def lose(unit_id: str) -> None:
        execute("update unit set fencing_token = fencing_token + 1 where id = :unit", unit=unit_id)

    return Subject(UnitStore(engine), known["resource"], known["run"], ids, lose)


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param == "fake":
        yield fake()
        return
    engine = connect(request.getfixturevalue("database_url"))
    try:
        yield real(engine)
    finally:
        engine.dispose()


def test_unit_has_one_lease_at_most(subject: Subject) -> None:
    claim = subject.units.claim(subject.ids[0], terms())

    assert claim is not None
    assert (claim.unit_id, claim.resource_id, claim.attempts) == (subject.ids[0], subject.resource_id, 1)
    assert claim.elements == [{}]
    assert subject.units.claim(subject.ids[0], terms()) is None


def test_owner_has_as_many_leases_of_an_account_as_it_may(subject: Subject) -> None:
    few = terms(most_of_account=2)

    claims = [subject.units.claim(id, few) for id in subject.ids]

    assert [claim is not None for claim in claims] == [True, True, False]
    crowded = subject.units.find_crowded_out(subject.ids[2])
    assert crowded is not None
    assert crowded.dispatch.unit_id == subject.ids[2]
    assert subject.units.find_crowded_out(subject.ids[0]) is None
    assert subject.units.claim(subject.ids[2], terms(most_of_account=2)) is not None


def test_resource_gives_its_free_units_one_by_one(subject: Subject) -> None:
    claims = [subject.units.claim_next(subject.resource_id, terms()) for _ in range(4)]

    assert sorted(claim.unit_id for claim in claims if claim) == sorted(subject.ids)
    assert claims[-1] is None
    assert subject.units.find_next_of_resource(subject.resource_id) is None


def test_lease_that_somebody_else_has_is_lost(subject: Subject) -> None:
    claim = subject.units.claim(subject.ids[0], terms())
    assert claim is not None
    subject.units.hold(claim, lease_seconds=9)
    assert subject.units.keep(claim, lease_seconds=9) is True

    subject.lose(subject.ids[0])

    assert subject.units.keep(claim, lease_seconds=9) is False
    assert subject.units.hand_back(claim) is False
    with pytest.raises(LeaseLostError):
        subject.units.hold(claim, lease_seconds=9)


def test_unit_that_is_handed_back_is_free_again(subject: Subject) -> None:
    first = subject.units.claim(subject.ids[0], terms())
    assert first is not None
    assert subject.units.hand_back(first) is True

    again = subject.units.claim(subject.ids[0], terms())

    assert again is not None
    assert (again.attempts, again.fencing_token > first.fencing_token) == (1, True)
    assert subject.units.hand_back(first) is False


def test_attempt_that_failed_counts(subject: Subject) -> None:
    first = subject.units.claim(subject.ids[0], terms())
    assert first is not None
    subject.units.hand_back(first, end=SpellEnd.RETRY, is_idle=True)

    again = subject.units.claim(subject.ids[0], terms())

    assert again is not None
    assert (again.attempts, again.idle_slices) == (2, 1)


def test_account_is_given_the_unit_that_has_waited_longest(subject: Subject) -> None:
    first = subject.units.take_next_of_account(subject.account_id)
    second = subject.units.take_next_of_account(subject.account_id)

    assert first is not None
    assert second is not None
    assert first.unit_id != second.unit_id
    assert {first.unit_id, second.unit_id} < set(subject.ids)
    assert first.queue == "daemon-group.blue"
