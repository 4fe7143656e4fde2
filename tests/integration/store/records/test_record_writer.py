"""Records go into Postgres once each, exactly, and numbered in their account's log."""

import dataclasses
import itertools
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import DictRow, tuple_row
from sqlalchemy import Engine, text

from app.engine.errors import LeaseLostError
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.engine.records import rows as record_rows
from app.engine.records.rows import RecordBatch
from app.engine.runs.books import Counters
from app.engine.runs.work import Claim, PageWrite, UnitKind
from app.store.db.autocommit import autocommit_of, transaction
from app.store.db.database import connect
from app.store.records import differences
from app.store.units import pages, small_pages
from app.store.units.pages import PageStore
from tests.support.patience import wait_for
from tests.support.servers import PostgresServer

_WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
_READ = "select idx_tup_fetch + seq_tup_read as read from pg_stat_xact_user_tables where relname = 'record'"
_MAKE_LEASED = (
    "insert into environment (id, name) values (cast(:id as uuid), cast(:id as text)) on conflict do nothing",
    """
    insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args, args_hash,
                              resources, sync_job, queue)
    values (:run_id, :id, :id, :id, 'running', '{}', '', '[]', '{}', 'q')
    """,
    """
    insert into run_resource (id, run_id, position, name, resource, method, persist)
    values (:resource_id, :run_id, 0, 'tickets', 'tickets', 'list', true)
    """,
    """
    insert into unit (id, run_id, resource_id, kind, status, fencing_token, lease_expires_at)
    values (:unit_id, :run_id, :resource_id, 'fetch', 'leased', 1, now() + interval '1 hour')
    """,
)
TICKETS = [{"id": str(number), "title": f"ticket {number}"} for number in range(5)]


@pytest.fixture(scope="module")
def engine(postgres_server: PostgresServer) -> Iterator[Engine]:
    with postgres_server.fresh_database() as url:
        made = connect(url)
        yield made
        made.dispose()


class Account:
    """An account of its own in the shared table."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.id = new_id()

    def rows(self) -> dict[str, JsonObject]:
        query = text("select * from record where integrated_account_id = :id order by sequence")
        with self.engine.connect() as connection:
            return {row["remote_id"]: dict(row) for row in connection.execute(query, {"id": self.id}).mappings()}

    def last_sequence(self) -> int | None:
        query = text("select last_sequence from account_log where integrated_account_id = :id")
        with self.engine.connect() as connection:
            return connection.execute(query, {"id": self.id}).scalar_one_or_none()

    def write(self, records: Sequence[JSON], resource: str = "tickets") -> Counters:
        claim = self.leased()
        page = self.page(claim, records, resource)
        assert PageStore(self.engine).write(page) is None

        (counted,) = self._all("select * from run_resource where id = :id", id=claim.resource_id)
        assert (counted["pages"], counted["fetched"], counted["status"]) == (1, len(records), "running")
        numbers = {row["sequence"] for row in self.rows().values() if str(row["sync_job_run_id"]) == claim.run_id}
        assert numbers <= set(range(counted["first_sequence"] or 1, (counted["last_sequence"] or 0) + 1))
        return Counters(**{name: counted[name] for name in ("created", "updated", "unchanged", "repeated")})

    def take(self, claim: Claim, records: Sequence[JSON]) -> Counters:
        """Write a page of a resource that nothing else of the run keeps."""
        page = dataclasses.replace(self.page(claim, records), counts_repeats=True)
        PageStore(self.engine).write(page)
        return self.fates(claim)

    def fates(self, claim: Claim) -> Counters:
        """What has become of the records of a run's resource."""
        (counted,) = self._all("select * from run_resource where id = :id", id=claim.resource_id)
        return Counters(**{name: counted[name] for name in ("created", "updated", "unchanged", "repeated")})

    def page(self, claim: Claim, records: Sequence[JSON], resource: str = "tickets") -> PageWrite:
        return PageWrite(
            claim=claim,
            frontier={"next": 1},
            lease_seconds=60,
            account_id=self.id,
            resource=resource,
            records=RecordBatch(records),
            counters=Counters(pages=1, fetched=len(records)),
        )

    def leased(self, beside: Claim | None = None) -> Claim:
        """A unit of a run of its own, or of the same run as another, which the test holds."""
        ids = {"run_id": new_id(), "resource_id": new_id(), "unit_id": new_id(), "id": self.id}
        if beside is not None:
            ids |= {"run_id": beside.run_id, "resource_id": str(beside.resource_id)}
        with self.engine.begin() as connection:
            for statement in _MAKE_LEASED if beside is None else _MAKE_LEASED[-1:]:
                connection.execute(text(statement), ids)
        return Claim(
            unit_id=ids["unit_id"],
            run_id=ids["run_id"],
            resource_id=ids["resource_id"],
            kind=UnitKind.FETCH,
            fencing_token=1,
            attempts=1,
            idle_slices=0,
            elements=[],
            frontier=None,
        )

    def _all(self, query: str, **values: object) -> list[JsonObject]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(query), values).mappings()]


def all_but_the_commit(connection: psycopg.Connection[DictRow], page: PageWrite) -> Counters:
    """Write a page's records within a transaction of the test's."""
    found = differences.find(connection, page)
    with connection.cursor(binary=True, row_factory=tuple_row) as cursor:
        write = pages._Write(page=page, cursor=cursor, found=found)
        for step in pages._STEPS[:-1]:
            write = step(write)
    return write.counters


@pytest.fixture(params=["small pages", "large pages", "very large pages"])
def make_account(
    request: pytest.FixtureRequest, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Account]:
    if request.param in ("large pages", "very large pages"):
        monkeypatch.setattr(small_pages, "_MOST_RECORDS", 0)
    if request.param == "very large pages":
        monkeypatch.setattr(record_rows, "_MOST_ROWS_KEPT", 1)
        monkeypatch.setattr(differences, "_ASKED_AT_ONCE", 2)
        monkeypatch.setattr(pages, "_UPDATED_AT_ONCE", 2)
        monkeypatch.setattr(pages, "_COPIED_AT_ONCE", 2)
    return lambda: Account(engine)


@pytest.fixture
def account(make_account: Callable[[], Account]) -> Account:
    return make_account()


def test_new_records_are_created_with_growing_numbers(account: Account) -> None:
    assert account.write(TICKETS) == Counters(created=5)

    assert [row["sequence"] for row in account.rows().values()] == [1, 2, 3, 4, 5]


def test_what_did_not_change_is_not_rewritten(account: Account) -> None:
    account.write(TICKETS)
    before = account.rows()

    assert account.write([dict(reversed(ticket.items())) for ticket in TICKETS]) == Counters(unchanged=5)

    assert account.rows() == before
    assert account.last_sequence() == 5


def test_only_what_changed_is_updated(account: Account) -> None:
    account.write(TICKETS)
    before = account.rows()

    changes = account.write([*TICKETS[:3], {"id": "3", "title": "other"}, {"id": "new"}])

    assert changes == Counters(created=1, updated=1, unchanged=3)
    after = account.rows()
    assert {id for id in after if after[id] != before.get(id)} == {"3", "new"}
    assert sorted([after["3"]["sequence"], after["new"]["sequence"]]) == [6, 7]
    assert after["3"]["data"] == {"id": "3", "title": "other"}
    assert (after["3"]["created_at"], after["3"]["updated_at"] > before["3"]["updated_at"]) == (
        before["3"]["created_at"],
        True,
    )


def test_the_last_of_several_rows_with_one_id_counts(account: Account) -> None:
    changes = account.write([{"id": 1, "n": "first"}, {"id": 2}, {"id": 1, "n": "last"}])

    assert changes == Counters(created=2, repeated=1)
    assert account.rows()["1"]["data"] == {"id": 1, "n": "last"}


REPEATS: dict[str, tuple[list[JSON], Counters]] = {
    "all again": (list(TICKETS), Counters(created=5, repeated=5)),
    "some again, some new": ([*TICKETS[3:], {"id": "5"}], Counters(created=6, repeated=2)),
    "other content": ([{"id": "1", "title": "other"}, *TICKETS[2:]], Counters(created=5, repeated=4)),
    "twice in a page": ([{"id": "1", "title": "other"}, TICKETS[1]], Counters(created=5, repeated=2)),
}


@pytest.mark.parametrize(("again", "books"), REPEATS.values(), ids=REPEATS)
@pytest.mark.parametrize("most_small", [200, 0], ids=["small pages", "large pages"])
def test_what_the_run_itself_has_written_is_repeated_and_what_another_has_is_not(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, most_small: int, again: list[JSON], books: Counters
) -> None:
    monkeypatch.setattr(small_pages, "_MOST_RECORDS", most_small)
    account = Account(engine)
    first = account.leased()

    account.take(first, TICKETS)
    account.take(account.leased(beside=first), again)

    assert account.fates(first) == books
    assert len(account.rows()) == books.created
    assert account.take(account.leased(), [account.rows()["0"]["data"]]) == Counters(unchanged=1)


@pytest.mark.parametrize("held", [True, False], ids=["held before", "new"])
@pytest.mark.parametrize("content", ["other", "ticket 0"], ids=["other content", "same content"])
def test_two_units_of_a_run_that_write_one_record_at_once_count_one_row(
    engine: Engine, *, content: str, held: bool
) -> None:
    account = Account(engine)
    if held:
        account.write([{"id": "0", "title": "before"}])
    first = account.leased()
    second = account.leased(beside=first)
    other = threading.Thread(target=account.take, args=[second, [{"id": "0", "title": content}]])
    page = dataclasses.replace(account.page(first, TICKETS[:1]), counts_repeats=True)

    def write_and_wait(connection: psycopg.Connection[DictRow]) -> None:
        with transaction(connection):
            connection.execute(small_pages._WRITE, small_pages.written_values(page))
            other.start()
            wait_for(lambda: account._all(_WAITING)[0]["count"])

    autocommit_of(engine).lend(write_and_wait)
    other.join()

    assert account.fates(first) == Counters(**{"updated" if held else "created": 1}, repeated=1)
    assert account.rows()["0"]["data"]["title"] == content


def test_a_tombstone_that_is_seen_again_lives(account: Account, engine: Engine) -> None:
    account.write(TICKETS)
    with engine.begin() as connection:
        query = text("update record set deleted_at = now() where integrated_account_id = :id and remote_id = '2'")
        connection.execute(query, {"id": account.id})

    assert account.write(TICKETS) == Counters(updated=1, unchanged=4)

    assert (account.rows()["2"]["deleted_at"], account.rows()["2"]["sequence"]) == (None, 6)


_TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12)
_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | _TEXT
    | st.sampled_from(["\\", "\\n", "\t", "\r\n", '"']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(_TEXT.filter(bool), _VALUE), min_size=1, max_size=6), _TEXT.filter(bool))
def test_any_text_and_any_value_comes_back_exactly(
    make_account: Callable[[], Account], records: list[tuple[str, JSON]], resource: str
) -> None:
    account = make_account()
    given_records = {id: {"id": id, "value": value} for id, value in records}

    account.write([{"id": "old", "value": None}, *({"id": id, "value": "before"} for id in given_records)], resource)
    account.write(list(given_records.values()), resource)

    kept = {id: row["data"] for id, row in account.rows().items() if id in given_records}
    assert kept == given_records


def test_writers_of_one_account_leave_no_gap_that_a_reader_could_fall_into(account: Account) -> None:
    """A reader sees numbers only in their order: what it has not seen lies after what it has."""
    dice, seen = random.Random(7), []
    done = threading.Event()

    def write(seed: int) -> None:
        for _ in range(20):
            ids = random.Random(seed * 1000 + dice.randrange(1000)).sample(range(40), 5)
            account.write([{"id": str(id), "by": f"{seed}-{dice.random()}"} for id in ids])

    def read() -> None:
        while not done.is_set():
            seen.append({row["sequence"] for row in account.rows().values()})

    writers = [threading.Thread(target=write, args=[seed]) for seed in range(4)]
    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()

    for earlier, later in itertools.pairwise(seen):
        assert all(number > max(earlier, default=0) for number in later - earlier)
    sequences = [row["sequence"] for row in account.rows().values()]
    assert len(set(sequences)) == len(sequences) == 40


@pytest.mark.parametrize("most_small", [200, 0], ids=["small page", "large page"])
@pytest.mark.parametrize("records", [TICKETS[:1], [{"id": "0", "title": "late"}, {"id": "late"}]], ids=["held", "new"])
def test_page_of_a_lost_lease_changes_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, records: Sequence[JSON], most_small: int
) -> None:
    monkeypatch.setattr(small_pages, "_MOST_RECORDS", most_small)
    account = Account(engine)
    account.write(TICKETS[:1])
    before = account.rows()
    late = dataclasses.replace(account.leased(), fencing_token=7)
    page = account.page(late, records)

    with pytest.raises(LeaseLostError):
        PageStore(engine).write(page)

    assert account.rows() == before
    assert account.last_sequence() == 1
    (counted,) = account._all("select * from run_resource where id = :id", id=late.resource_id)
    assert (counted["pages"], counted["fetched"], counted["status"]) == (0, 0, "waiting")


def test_small_page_knows_what_another_one_has_just_written(engine: Engine) -> None:
    """The other one's write is not committed when the page begins, and is when the page comes to the number."""
    account = Account(engine)
    written: list[Counters] = []
    page = threading.Thread(target=lambda: written.append(account.write(TICKETS)))
    other = account.page(account.leased(), [{**TICKETS[0], "title": "other"}, TICKETS[1]])

    def write_and_wait(connection: psycopg.Connection[DictRow]) -> None:
        with transaction(connection):
            all_but_the_commit(connection, other)
            page.start()
            wait_for(lambda: account._all(_WAITING)[0]["count"])

    autocommit_of(engine).lend(write_and_wait)
    page.join()

    assert written == [Counters(created=3, updated=1, unchanged=1)]
    assert sorted(row["sequence"] for row in account.rows().values()) == [2, 3, 4, 5, 6]


def test_small_page_finds_its_records_by_their_key(engine: Engine) -> None:
    """However much the account holds, and although nothing is known of the table yet."""
    account = Account(engine)
    account.write([{"id": str(number)} for number in range(20_000)])
    page = account.page(account.leased(), [{"id": str(number), "changed": True} for number in range(90)])

    # Within a transaction, which can tell what it has read.
    with closing(autocommit_of(engine)._borrow()) as lent:
        connection: Any = lent.driver_connection
        connection.execute("begin")
        connection.execute(small_pages._WRITE, small_pages.written_values(page))
        row = connection.execute(_READ).fetchone()
        connection.execute("rollback")

    assert row is not None
    assert row["read"] < 1_000


@pytest.mark.parametrize("statistics", ["none", "of an empty table", "of many small accounts"])
def test_large_page_reads_no_other_records(postgres_server: PostgresServer, statistics: str) -> None:
    """However much the account holds, and whatever Postgres supposes of it: else its pages would take ever longer."""
    with postgres_server.fresh_database() as url:
        engine = connect(url)
        account = Account(engine)
        with engine.begin() as connection:
            connection.execute(text("alter table record set (autovacuum_enabled = off)"))
        if statistics == "of many small accounts":
            for _ in range(200):
                Account(engine).write([{"id": "1"}, {"id": "2"}])
        if statistics != "none":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("vacuum analyze record"))
        for start in range(0, 8_000, 1_000):
            account.write([{"id": str(number)} for number in range(start, start + 1_000)])
        changed = [{"id": str(number), "changed": True} for number in range(7_500, 8_500)]
        page = account.page(account.leased(), changed)

        def write_and_read(connection: psycopg.Connection[DictRow]) -> tuple[Counters, int]:
            with transaction(connection):
                counters = all_but_the_commit(connection, page)
                row = connection.execute(_READ).fetchone()
                return counters, row["read"] if row else -1

        counters, read = autocommit_of(engine).lend(write_and_read)
        engine.dispose()

    assert counters == Counters(pages=1, fetched=1_000, created=500, updated=500)
    # Each of the 500 is read to be compared, and to be updated.
    assert 0 <= read < 2_500
