"""A record that a target can not hold is quarantined, and the rest lands; a fault of the target is never a record's."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from psycopg import sql

from app.engine.ids import new_id
from app.engine.json_types import JSON
from app.engine.records import rows
from app.store.destinations import log
from tests.support.landing import Landing
from tests.support.target import OWNER, TargetDatabase, TargetServer

_ROWS: Final = 40
_LONG: Final = random.Random(1).randbytes(10_000).hex()  # does not compress, and is the same each time
_NO_ROOM: Final = """
    do $$ begin for i in 1 .. 1600 - (select max(attnum) from pg_attribute where attrelid = '{t}'::regclass)
          loop execute format('alter table {t} add column own_%s bool', i); end loop; end $$
"""
_REFERENCE: Final = """
    create table known (n bigint primary key); insert into known select generate_series(1, 100);
    alter table {t} add foreign key (n) references known; grant select on known to owner
"""
_OF_POSTGRES: Final[dict[str, tuple[str, JSON, str]]] = {
    "a_row_too_wide": ("", {f"key_{n}": "some thirty characters of text" for n in range(900)}, "row is too big"),
    "no_column_left": (_NO_ROOM, {"n": 1, "new": 1}, "Postgres has 1,600 of a table at most"),
    "an_index_row": ("create index on {t} (body)", {"body": _LONG}, "index row requires"),
    "a_number": ("alter table {t} alter n type int", {"n": 2**40}, "integer out of range"),
    "a_text": ("alter table {t} alter name type varchar(9)", {"name": "x" * 10}, "value too long"),
    "an_invalid_date": ("create index on {t} (make_date(n::int, 1, 1))", {"n": 0}, "date field value out of range"),
    "an_index_that_computes": ("create index on {t} ((1 / n))", {"n": 0}, "division by zero"),
    "a_check": ("alter table {t} add check (n > 0)", {"n": -1}, "check constraint"),
    "the_second_of_two": ("create unique index on {t} (n)", {"n": 1}, "unique constraint"),
    "a_null": ("alter table {t} alter n set not null", {"name": "n"}, "not-null constraint"),
    "at_the_commit": ("alter table {t} add unique (n) deferrable initially deferred", {"n": 1}, "unique constraint"),
    "a_reference": (_REFERENCE, {"n": 999}, "foreign key constraint"),
}


@pytest.fixture
def landing(database_url: str, tmp_path: Path) -> Iterator[Landing]:
    place = Landing(database_url, {"destination_directory": str(tmp_path)})
    yield place
    place.close()


def _add(landing: Landing, account: str, bad: JSON, resource: str = "tickets") -> None:
    """Write many records, and among them one of which the target wants nothing."""
    usual = {str(n): {"n": n, "name": f"name {n}", "body": "text"} for n in range(1, _ROWS + 1)}
    landing.write(account, {**dict([*usual.items()][:7]), "bad": bad, **dict([*usual.items()][7:])}, resource=resource)


def _left_out(landing: Landing, destination: str) -> dict[str, str]:
    """Return what is listed as left out, each resource with its reason; it is always the bad record."""
    listed = landing.api.landing.destinations.list_quarantined(landing.environment, destination, cursor=None, limit=50)
    assert all(one.remote_id == "bad" for one in listed.result)
    return {one.resource: one.reason for one in listed.result}


def _assert_rest_landed(landing: Landing, destination: str, *, written: int, quarantined: int) -> None:
    shown = landing.api.landing.destinations.get(landing.environment, destination)
    books = (shown.progress.read, shown.progress.written, shown.progress.unchanged, shown.progress.quarantined)
    assert (shown.status, shown.progress.last_error) == ("current", None)
    assert books == (written + quarantined, written, 0, quarantined)
    assert landing.verify(destination).is_equal


@pytest.mark.parametrize("mode", ["merge", "append"])
def test_one_record_of_each_table_is_quarantined_in_a_postgres(
    landing: Landing, target: TargetDatabase, mode: str
) -> None:
    destination, account = landing.destination(target.config, mode=mode), landing.account()
    for resource in _OF_POSTGRES:
        landing.write(account, {"0": {"n": 100, "name": "first", "body": "text"}}, resource=resource)
    landing.land()
    for resource, (change, bad, _) in _OF_POSTGRES.items():
        target.execute(change.format(t=f"acme.{resource}"))
        _add(landing, account, bad, resource)

    landing.land()

    found, count = _left_out(landing, destination), len(_OF_POSTGRES)
    assert found.keys() == _OF_POSTGRES.keys()
    assert {name: reason for name, reason in found.items() if _OF_POSTGRES[name][2] not in reason} == {}
    _assert_rest_landed(landing, destination, written=count * (1 + _ROWS), quarantined=count)
    held = [target.rows(f"select count(*), min(n) from acme.{name} where remote_id <> 'bad'") for name in _OF_POSTGRES]
    assert held == [[(1 + _ROWS, 1)]] * count


def test_a_text_that_the_encoding_does_not_have_is_quarantined(landing: Landing, target_server: TargetServer) -> None:
    name = f"latin_{new_id().replace('-', '')}"
    make = "create database {} owner {} encoding latin1 locale 'C' template template0"
    with target_server.admin() as connection:
        connection.execute(sql.SQL(make).format(sql.Identifier(name), sql.Identifier(OWNER)))
    destination, account = landing.destination(TargetDatabase(target_server, name).config), landing.account()
    _add(landing, account, {"name": "\u0142\u00f3d\u017a \U0001f980", "tags": ["\u0142"]})

    landing.land()

    assert "encoding" in _left_out(landing, destination)["tickets"]
    _assert_rest_landed(landing, destination, written=_ROWS, quarantined=1)


_STRANGE: Final[dict[str, JSON]] = {
    "surrogate": {"name": "\ud800"},
    "surrogate_within": {"tags": ["\ud800"]},
    "nul": {"name": "a\x00b"},
    "nul_within": {"tags": ["a\x00b"]},
    "digits": {"n": 10**5000},
    "digits_within": {"tags": [10**5000]},
}
"""What Ferryman's own Postgres does not let in, or not yet; ``can not be read`` stands for what its driver gives."""
_TEXTS: Final = {
    "too_deep": '{"v": ' + "[" * 1500 + "]" * 1500 + "}",
    "too_many_digits": '{"v": ' + "9" * 5000 + "}",
}
_REFUSED: Final = {
    "postgres": {*_STRANGE} - {"digits"},
    **dict.fromkeys(["duckdb", "parquet", "jsonl", "csv"], {*_STRANGE} - {"nul", "nul_within"}),
}
"""The rest lands there as it is."""


def _make(landing: Landing, kind: str, target: TargetDatabase) -> str:
    body: dict[str, Any] = {}
    match kind:
        case "postgres":
            body["datastore_id"] = landing.datastore(target.config)
        case "duckdb":
            body |= {"datastore_id": landing.datastore({"path": "lake"}, kind), "daemon_group_key": "default"}
        case _:
            body |= {"datastore_id": landing.datastore({"path": "lake"}, "filesystem"), "options": {"format": kind}}
    return landing.api.landing.destinations.create(landing.environment, body).destination.id


@pytest.mark.parametrize("kind", _REFUSED)
def test_no_value_blocks_an_account_at_any_type(
    landing: Landing, target: TargetDatabase, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def decode(text: str) -> JSON:
        found = rows.decode(text)
        return _STRANGE[str(found["stands for"])] if isinstance(found, dict) and "stands for" in found else found

    monkeypatch.setattr(log, "decode", decode)
    destination, account = _make(landing, kind, target), landing.account()
    for name in (*_STRANGE, *_TEXTS):
        _add(landing, account, {"stands for": name}, name)
    for name, text in _TEXTS.items():
        with landing.engine.begin() as connection:
            change = "update record set data = %s where remote_id = 'bad' and resource = %s"
            connection.exec_driver_sql(change, (text, name))
    landing.land()

    found = _left_out(landing, destination)
    refused = {*_REFUSED[kind], *_TEXTS}
    assert found.keys() == refused
    assert all("1,024 levels" in found[name] for name in _TEXTS)
    everything = (len(_STRANGE) + len(_TEXTS)) * (_ROWS + 1)
    _assert_rest_landed(landing, destination, written=everything - len(refused), quarantined=len(refused))

    for name in refused:
        landing.write(account, {"bad": {"n": 1}}, resource=name)
    landing.land()

    assert _left_out(landing, destination) == {}
    assert landing.verify(destination).is_equal


def test_what_was_refused_is_tried_again_as_it_changes_or_somebody_asks(
    landing: Landing, target: TargetDatabase
) -> None:
    destination, account, other = landing.destination(target.config), landing.account(), landing.account("other")
    for one in (account, other):
        landing.write(one, {"0": {"n": 1}})
    landing.land()
    target.execute("alter table acme.tickets add constraint positive check (n > 0)")
    landing.write(account, {"1": {"n": -1}, "bad": {"n": -2}, "3": {"n": 3}})
    landing.land()
    landing.write(account, {"1": {"n": 4}})
    landing.land()
    left_out = _left_out(landing, destination)

    target.execute("alter table acme.tickets drop constraint positive")
    landing.land()
    before = target.rows("select count(*) from acme.tickets")
    services = landing.api.landing.destinations
    services.backfill(landing.environment, destination, from_sequence=0, quarantined=True)
    landing.land()

    assert (left_out.keys(), before) == ({"tickets"}, [(4,)])
    assert _left_out(landing, destination) == {}
    held = target.rows(f"select remote_id, n from acme.tickets where account_id = '{account}' order by 1")
    assert held == [("0", 1), ("1", 4), ("3", 3), ("bad", -2)]
    assert landing.verify(destination).is_equal
    # Only from the first record that was left out, and only of its account.
    assert {one.integrated_account_id: one.read for one in landing.cursors(destination)} == {account: 3, other: 1}


_STATES: Final = {
    **{"53100": "disk_full", "53200": "target_busy", "57P01": "target_away", "57014": "target_slow"},
    **{"55P03": "target_locked", "40001": "target_locked", "25006": "read_only", "42501": "missing_rights"},
    **{"08006": "target_refuses", "58030": "target_refuses", "XX000": "target_refuses", "P0001": "target_refuses"},
}
_RAISE: Final = """
    create function fails_{state}() returns trigger language plpgsql as
    $$ begin if new.n < 0 then raise exception 'no' using errcode = '{state}'; end if; return new; end $$;
    create trigger fails before insert on {{t}} for each row execute function fails_{state}()
"""
_OF_TARGET: Final[dict[str, tuple[str, str]]] = {
    "not_null": ("delete from {t}; alter table {t} add column own int not null", "other_constraint"),
    "a_right": ("revoke insert on {t} from owner", "missing_rights"),
    "a_table": ("drop table {t}", "table_gone"),
    "a_type": ("alter table {t} alter n type bool using true", "other_type"),
    **{f"state_{state.lower()}": (_RAISE.format(state=state), code) for state, code in _STATES.items()},
}


def test_a_fault_of_the_target_is_never_taken_for_one_of_a_record(landing: Landing, target: TargetDatabase) -> None:
    destination = landing.destination(target.config)
    accounts = {name: landing.account(name) for name in _OF_TARGET}
    for name, account in accounts.items():
        landing.write(account, {"0": {"n": 1}}, resource=name)
    landing.land()
    for name, (change, _) in _OF_TARGET.items():
        target.execute(change.format(t=f"acme.{name}"))
        _add(landing, accounts[name], {"n": -1}, name)

    landing.land(may_fail=True)

    found = {one.integrated_account_id: (one.cursor, one.error_code) for one in landing.cursors(destination)}
    assert {name: found[account] for name, account in accounts.items()} == {
        name: (1, code) for name, (_, code) in _OF_TARGET.items()
    }
    assert _left_out(landing, destination) == {}


def test_a_server_that_goes_away_in_the_search_for_a_record_takes_none_with_it(
    landing: Landing, target: TargetDatabase
) -> None:
    destination, account = landing.destination(target.config), landing.account()
    landing.write(account, {"0": {"n": 1}})
    landing.land()
    # The first attempt fails by the record, and one of those that follow ends the session.
    target.execute("""
        create sequence tries; grant usage on sequence tries to owner;
        create function fails() returns trigger language plpgsql security definer as $$ begin
            if nextval('tries') > 60 then perform pg_terminate_backend(pg_backend_pid()); end if; return new; end $$;
        create trigger fails before insert on acme.tickets for each row execute function fails();
        alter table acme.tickets add check (n > 0)
    """)
    _add(landing, account, {"n": -1})
    landing.land(may_fail=True)
    (cursor,) = landing.cursors(destination)
    left_out = _left_out(landing, destination)

    target.execute("drop trigger fails on acme.tickets")
    landing.pass_time()
    landing.land()

    assert (cursor.cursor, cursor.error_code, left_out) == (1, "target_away", {})
    _assert_rest_landed(landing, destination, written=_ROWS + 1, quarantined=1)


def test_many_records_that_are_refused_are_found_and_noted_in_turn(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination(target.config), landing.account()
    landing.write(account, {"0": {"n": 1}})
    landing.land()
    target.execute("alter table acme.tickets add check (n > 0)")
    landing.write(account, {str(n): {"n": n * (1 if n % 5 else -1)} for n in range(1, 751)})

    landing.land()

    _assert_rest_landed(landing, destination, written=601, quarantined=150)
    assert target.rows("select count(*) from acme.tickets") == [(601,)]
