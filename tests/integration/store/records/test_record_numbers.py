"""Records from before accounts had logs are numbered beside the work, and from then on readers of the log see them."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, insert, text

from app.engine.ids import new_id
from app.services.maintenance.duty_rows import Pace
from app.services.maintenance.numbering import BATCH, Numbering
from app.services.reading.ports import LogFilters
from app.store import tables
from app.store.db.database import connect
from app.store.reading.account_log import LogReader
from app.store.records import account_log
from app.store.records.numbers import RecordNumbers

RUN = new_id()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    with made.begin() as connection:
        connection.execute(text("update online_migration set finished_at = null where name = 'record_numbers'"))
    yield made
    made.dispose()


@pytest.fixture
def numbering(engine: Engine) -> Numbering:
    return Numbering(RecordNumbers(engine), Pace(pause=lambda _: None))


def keep(engine: Engine, account: str, *ids: str, sequence: int = 0) -> None:
    """Write records as the first version did."""
    fixed = {"integrated_account_id": account, "resource": "users", "data": {}, "content_hash": b""}
    with engine.begin() as connection:
        rows = [{**fixed, "remote_id": id, "sync_job_run_id": RUN, "sequence": sequence} for id in ids]
        connection.execute(insert(tables.record), rows)


def log_of(engine: Engine, account: str) -> list[tuple[int, str]]:
    page = LogReader(engine).read(LogFilters(integrated_account_id=account, after=0, limit=5000))
    return [(record.sequence, record.id) for record in page.result]


def test_old_records_come_after_all_that_the_log_has(engine: Engine, numbering: Numbering) -> None:
    old, mixed, new = sorted(new_id() for _ in range(3))
    keep(engine, old, "1", "2", "3")
    for account in (mixed, new):
        with engine.begin() as connection:
            account_log.allocate(connection, account, 7)
        keep(engine, account, "numbered", sequence=7)
    keep(engine, mixed, "4", "5")
    assert [log_of(engine, account) for account in (old, mixed)] == [[], [(7, "numbered")]]

    assert numbering.run_turn() is False

    assert log_of(engine, old) == [(1, "1"), (2, "2"), (3, "3")]
    assert log_of(engine, mixed) == [(7, "numbered"), (8, "4"), (9, "5")]
    assert log_of(engine, new) == [(7, "numbered")]
    assert RecordNumbers(engine).place() is None


def test_numbering_goes_on_where_a_leader_died(engine: Engine, numbering: Numbering) -> None:
    first, second = sorted(new_id() for _ in range(2))
    keep(engine, first, *(f"{number:05}" for number in range(BATCH + 10)))
    keep(engine, second, "1")
    assert RecordNumbers(engine).number_some(first, limit=BATCH) == BATCH
    place = RecordNumbers(engine).place()
    assert place is not None
    assert place.account_id == first

    assert numbering.run_turn() is False

    assert [number for number, _ in log_of(engine, first)] == list(range(1, BATCH + 11))
    assert log_of(engine, second) == [(1, "1")]
    with engine.connect() as connection:
        counted = connection.execute(text("select rows, place from online_migration")).one()
    assert tuple(counted) == (BATCH + 11, None)


def test_accounts_without_old_records_cost_a_look_into_their_index(engine: Engine) -> None:
    account = new_id()
    keep(engine, account, *(f"{number:05}" for number in range(20_000)), sequence=5)
    look = f"""
        explain (analyze, buffers off, costs off, timing off, summary off)
        select resource, remote_id from record
         where integrated_account_id = '{account}' and sequence = 0 and sequence >= 0
    """
    with engine.begin() as connection:
        connection.execute(text("analyze record"))
        plan = "\n".join(connection.execute(text(look)).scalars())

    assert "record_by_sequence" in plan
    assert "Seq Scan" not in plan
