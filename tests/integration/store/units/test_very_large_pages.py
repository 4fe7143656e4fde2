"""A page that takes longer than its lease, which is kept beside the write; nobody waits for it but its account."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from signal import SIGSTOP
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text

from app.engine.errors import LeaseLostError
from app.engine.ids import new_id
from app.engine.records.rows import RecordBatch
from app.engine.runs.work import Claim, PageWrite, UnitDraft, UnitKind
from app.engine.status import RunStatus, UnitStatus
from app.store.db.database import connect
from app.store.db.writing_sessions import WritingSessions
from app.store.runs.moves import RunMoves
from app.store.units import small_pages
from app.store.units.pages import PageStore
from app.store.units.units import UnitStore
from tests.support.claiming import terms
from tests.support.patience import WaitFor

_MAKE_LEASED = (
    "insert into environment (id, name) values (cast(:id as uuid), cast(:id as text))",
    """
    insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args, args_hash,
                              resources, sync_job, queue)
    values (:id, :id, :id, :id, 'running', '{}', '', '[]', '{}', 'q')
    """,
    """
    insert into run_resource (id, run_id, position, name, resource, method, persist)
    values (:id, :id, 0, 'tickets', 'tickets', 'list', true)
    """,
    """
    insert into unit (id, run_id, resource_id, kind, status, fencing_token, lease_expires_at)
    values (:id, :id, :id, 'fetch', 'leased', 1, now() + interval '1 hour')
    """,
    "insert into account_log (integrated_account_id, last_sequence) values (:id, 0)",
)
_WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
_LAPSE = "update unit set lease_expires_at = now() - interval '1 s' where id = :id"
_FROZEN = """
import sys, psycopg
from app.store.db.writing_sessions import begin
from app.store.units.pages import _COPY
from app.engine.runs.work import Claim, UnitKind
url, id = sys.argv[1:]
claim = Claim(unit_id=id, run_id=id, resource_id=id, kind=UnitKind.FETCH, fencing_token=1, attempts=1, elements=[],
              frontier={})
with psycopg.connect(url) as connection, connection.cursor() as cursor:
    begin(cursor, claim)
    cursor.execute("update account_log set last_sequence = last_sequence + 1 where integrated_account_id = %s", [id])
    with cursor.copy(_COPY) as copy:
        copy.write(b"")
        print("copies", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


@pytest.fixture
def watcher(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def claim(engine: Engine) -> Claim:
    """A leased unit; all its ids are one."""
    id = new_id()
    with engine.begin() as connection:
        for statement in _MAKE_LEASED:
            connection.execute(text(statement), {"id": id})
    return Claim(
        unit_id=id,
        run_id=id,
        resource_id=id,
        kind=UnitKind.FETCH,
        fencing_token=1,
        attempts=1,
        elements=[],
        frontier={},
    )


@pytest.fixture(params=["records alone", "with children"])
def page(request: pytest.FixtureRequest, claim: Claim, monkeypatch: pytest.MonkeyPatch) -> PageWrite:
    monkeypatch.setattr(small_pages, "_MOST_RECORDS", 0)
    child = UnitDraft(id=new_id(), resource_id=claim.resource_id)
    return page_of(claim, children=[] if request.param == "records alone" else [child])


def page_of(claim: Claim, **fields: Any) -> PageWrite:
    return PageWrite(
        claim=claim,
        frontier={"next": 1},
        lease_seconds=15,
        account_id=claim.unit_id,
        resource="tickets",
        records=RecordBatch([{"id": number} for number in range(5)]),
        **fields,
    )


@contextmanager
def written_slowly(
    engine: Engine, page: PageWrite, wait_for: WaitFor
) -> Iterator[tuple[Future[object], Callable[[], None]]]:
    """Write a page that comes no further than to the account's log until it is let go."""
    with ThreadPoolExecutor(1) as pool, engine.connect() as holder, engine.connect() as watcher:
        watcher.execution_options(isolation_level="AUTOCOMMIT")
        lock = text("select from account_log where integrated_account_id = :id for update")
        holder.execute(lock, {"id": page.account_id})
        writing: Future[object] = pool.submit(PageStore(engine).write, page)
        wait_for(lambda: watcher.execute(text(_WAITING)).scalar_one(), what="the page at the account's log")
        try:
            yield writing, holder.rollback
        finally:
            holder.rollback()


def rows(engine: Engine, sql: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(text(sql)).scalars())


def test_lease_is_kept_while_its_page_is_written(
    engine: Engine, claim: Claim, page: PageWrite, wait_for: WaitFor
) -> None:
    units = UnitStore(engine)
    with written_slowly(engine, page, wait_for) as (writing, let_go):
        with engine.begin() as connection:
            connection.execute(text(_LAPSE), {"id": claim.unit_id})

        assert units.keep(claim, lease_seconds=15)

        assert units.claim(claim.unit_id, terms(lease_seconds=15, most_of_account=9)) is None
        assert WritingSessions(engine, older_than_seconds=0).end_orphaned() == 0
        let_go()
        writing.result()
    assert rows(engine, "select count(*) from record") == [5]
    assert rows(
        engine, "select lease_expires_at > now() + interval '14 s' from unit where pages = 0 and fencing_token = 1"
    ) == [True]


def test_unit_of_a_page_that_took_long_has_a_whole_lease_again(
    engine: Engine, claim: Claim, wait_for: WaitFor, watcher: psycopg.Connection[Any]
) -> None:
    small = dataclasses.replace(page_of(claim), lease_seconds=0.2)
    with written_slowly(engine, small, wait_for) as (writing, let_go):
        began = watcher.execute("select now()").fetchone()
        late = "select now() > %s + interval '300 ms'"
        wait_for(lambda: watcher.execute(late, began).fetchone()[0], what="the end of the lease")  # type: ignore[index]
        locked = UnitStore(engine).keep(claim, lease_seconds=0.2)
        let_go()
        writing.result()

    assert locked, "whose row is locked has not lost its lease"
    ((left,),) = watcher.execute("select lease_expires_at - updated_at from unit").fetchall()
    assert left.total_seconds() >= 0.2


def test_page_is_written_while_its_run_is_locked(engine: Engine, claim: Claim, page: PageWrite) -> None:
    with ThreadPoolExecutor(1) as pool, engine.connect() as holder:
        holder.execute(text("select from sync_job_run where id = :id for no key update"), {"id": claim.run_id})
        try:
            pool.submit(PageStore(engine).write, page).result(timeout=30)
        finally:
            holder.rollback()

    assert rows(engine, "select count(*) from record") == [5]


def test_stop_does_not_wait_for_a_page_and_nothing_of_it_lands(
    engine: Engine, claim: Claim, page: PageWrite, wait_for: WaitFor
) -> None:
    with written_slowly(engine, page, wait_for) as (writing, let_go):
        assert RunMoves(engine).move(claim.run_id, RunStatus.STOPPED)
        let_go()
        with pytest.raises(LeaseLostError):
            writing.result()

    assert rows(engine, "select count(*) from record") == [0]
    assert rows(engine, "select last_sequence from account_log") == [0]
    assert rows(engine, "select status from unit") == [UnitStatus.CANCELLED]


def test_whoever_takes_an_expired_unit_over_does_not_wait_for_its_page(
    engine: Engine, claim: Claim, page: PageWrite, wait_for: WaitFor
) -> None:
    with written_slowly(engine, page, wait_for) as (writing, let_go):
        with engine.begin() as connection:
            connection.execute(text(_LAPSE), {"id": claim.unit_id})

        taken = UnitStore(engine).claim(claim.unit_id, terms(lease_seconds=15, most_of_account=9))

        assert taken is not None
        let_go()
        with pytest.raises(LeaseLostError):
            writing.result()
    assert rows(engine, "select count(*) from record") == [0]


@pytest.mark.parametrize("is_expired", [True, False], ids=["expired", "kept"])
def test_session_of_a_process_that_is_frozen_in_a_copy_is_ended_once_its_lease_is_gone(
    engine: Engine,
    database_url: str,
    claim: Claim,
    watcher: psycopg.Connection[Any],
    wait_for: WaitFor,
    is_expired: bool,
) -> None:
    command = [sys.executable, "-c", _FROZEN, database_url, claim.unit_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as frozen:
        assert frozen.stdout is not None
        assert frozen.stdout.readline() == "copies\n"
        frozen.send_signal(SIGSTOP)
        if is_expired:
            watcher.execute("update unit set lease_expires_at = now() - interval '1 s'")

        ended = WritingSessions(engine, older_than_seconds=0).end_orphaned()

        try:
            assert ended == is_expired
            if is_expired:
                watcher.execute("set lock_timeout = '20s'")
                watcher.execute("select from account_log for update")
            else:
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    watcher.execute("select from account_log for update nowait")
        finally:
            frozen.kill()


def test_sessions_of_other_names_are_left_alone(engine: Engine, database_url: str) -> None:
    names = ("ferryman", "ferryman page", f"ferryman page {'x' * 36}:1", f"ferryman page {new_id()}:1x")
    for name in names:
        with psycopg.connect(database_url, application_name=name) as connection:
            connection.execute("select 1")

            assert WritingSessions(engine, older_than_seconds=0).end_orphaned() == 0
            connection.execute("select 1")


def test_page_of_few_but_large_records_is_no_small_one(claim: Claim) -> None:
    text = "x" * 1_000_000

    assert small_pages.is_small(page_of(claim))
    large = RecordBatch([{"id": number, "text": text} for number in range(5)])
    assert not small_pages.is_small(dataclasses.replace(page_of(claim), records=large))
