"""Records land in the tables of another Postgres, each once, as they are now."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from app.engine.errors import DestinationError
from app.engine.objects.lists import ListFilters
from app.engine.schemas.columns import SchemaPolicy
from app.store.schemas.schemas import SchemaStore
from tests.support.landing import Landing
from tests.support.target import OWNER, PASSWORD, TargetDatabase

_STATE = "select remote_id, name, sequence, deleted_at is not null as is_deleted from acme.tickets order by 1, 3"


def _books(landing: Landing, destination: str) -> tuple[int, ...]:
    (one,) = landing.cursors(destination)
    assert one.read == one.written + one.unchanged + one.quarantined + one.filtered
    return (one.cursor, one.read, one.written, one.unchanged, one.quarantined, one.filtered)


def _failure(landing: Landing, destination: str) -> tuple[str, str]:
    (one,) = landing.cursors(destination)
    return str(one.error_code), str(one.last_error)


def test_records_of_all_accounts_land_in_one_table(landing: Landing, target: TargetDatabase) -> None:
    destination = landing.destination(target.config)
    first, second = landing.account("a"), landing.account("b")
    landing.write(first, {"1": {"name": "Ada", "age": 36, "tags": ["x"], "vip": True}})
    landing.write(second, {"1": {"name": "Bob", "price": 1.5}})

    landing.land()

    rows = target.dicts("select * from acme.tickets order by tenant_id")
    shown = [{k: v for k, v in row.items() if k not in ("account_id", "synced_at")} for row in rows]
    nothing = {"remote_id": "1", "sequence": 1, "deleted_at": None}
    assert shown == [
        {**nothing, "tenant_id": "a", "name": "Ada", "age": 36, "tags": ["x"], "vip": True, "price": None},
        {**nothing, "tenant_id": "b", "name": "Bob", "age": None, "tags": None, "vip": None, "price": 1.5},
    ]
    assert {(one.cursor, one.read, one.written, one.lag_records) for one in landing.cursors(destination)} == {
        (1, 1, 1, 0)
    }


@pytest.mark.parametrize(
    ("fields", "rows"),
    [
        ({}, [("1", "Ada L.", 3, False), ("2", "Bob", 4, True)]),
        ({"deletes": "hard"}, [("1", "Ada L.", 3, False)]),
        (
            {"mode": "append"},
            [("1", "Ada", 1, False), ("1", "Ada L.", 3, False), ("2", "Bob", 2, False), ("2", "Bob", 4, True)],
        ),
    ],
    ids=["merge-soft", "merge-hard", "append"],
)
def test_what_changes_or_is_deleted_follows(
    landing: Landing, target: TargetDatabase, fields: dict[str, str], rows: list[tuple[Any, ...]]
) -> None:
    destination, account = landing.destination(target.config, **fields), landing.account()
    landing.write(account, {"1": {"name": "Ada"}, "2": {"name": "Bob"}})
    landing.land()

    landing.write(account, {"1": {"name": "Ada L."}})
    landing.write(account, {"2": {"name": "Bob"}}, deleted=True)
    landing.land()

    assert target.rows(_STATE) == rows
    assert _books(landing, destination) == (4, 4, 4, 0, 0, 0)
    assert landing.verify(destination).is_equal


def test_a_schema_that_changes_in_mid_run_adds_columns_beside_what_users_made(
    landing: Landing, target: TargetDatabase
) -> None:
    landing.destination(target.config)
    account = landing.account()
    landing.write(account, {"1": {"price": 3}})
    landing.land()
    target.execute("create view acme.mine as select price from acme.tickets")
    target.execute("create index mine_too on acme.tickets (price)")
    target.execute("create role reader")
    target.execute("grant select on acme.tickets to reader")

    landing.write(account, {"2": {"price": "three", "weight": 2.5}})
    landing.land()

    assert target.rows("select remote_id, price, price__text, weight from acme.tickets order by 1") == [
        ("1", 3, None, None),
        ("2", None, "three", 2.5),
    ]
    assert target.rows("select price from acme.mine order by 1") == [(3,), (None,)]
    assert target.rows("select has_table_privilege('reader', 'acme.tickets', 'select')") == [(True,)]
    assert target.rows("select count(*) from pg_indexes where indexname = 'mine_too'") == [(1,)]
    target.execute("drop owned by reader; drop role reader")


def test_odd_values_land_as_their_columns_hold_them(landing: Landing, target: TargetDatabase) -> None:
    landing.destination(target.config)
    account = landing.account()
    odd = {
        "text": "tab\tback\\slash\nline\r\u2028 'quote' \\N \\.",
        "big": 2**80,
        "object": {"a": ["\\", "\t", 2**70], "é": None},
        "Camel Case": False,
        "select": 1.25,
    }
    landing.write(account, {"\\N\t": odd, "2": {"text": "\\N"}, "3": {}, "4": ["no", "object"]})

    landing.land()

    (row,) = target.dicts("select * from acme.tickets where sequence = 1")
    assert (row["remote_id"], row["text"], int(row["big"])) == ("\\N\t", odd["text"], 2**80)
    assert (row["object"], row["camel_case"], row["select_"]) == (odd["object"], False, 1.25)
    assert target.rows("select text from acme.tickets where sequence = 2") == [("\\N",)]
    assert target.rows("select count(*) from acme.tickets") == [(4,)]


def test_each_tenant_has_its_own_schema_also_where_names_fold_alike(landing: Landing, target: TargetDatabase) -> None:
    destination = landing.destination(target.config, layout="tenant")
    for tenant in ("Acme", "acme", "é 7"):
        landing.write(landing.account(tenant), {"1": {"name": tenant}})

    landing.land()

    tables = target.rows("select tenant_id, schema_name, table_name from ferryman._ferryman_table order by 1")
    assert len({schema for _, schema, _ in tables}) == 3
    for tenant, schema, table in tables:
        assert target.rows(f'select tenant_id, name from "{schema}"."{table}"') == [(tenant, tenant)]
    assert landing.verify(destination).is_equal


def test_a_destination_reads_what_it_wants_alone(landing: Landing, target: TargetDatabase) -> None:
    account, other = landing.account(), landing.account()
    destination = landing.destination(target.config, integrated_account_id=account, resources=["tickets"])
    landing.write(account, {"1": {"a": 1}})
    landing.write(account, {"1": {"a": 1}}, resource="users")
    landing.write(other, {"1": {"a": 1}})

    landing.land()

    assert _books(landing, destination) == (2, 2, 1, 0, 0, 1)
    assert target.rows("select count(*) from acme.tickets") == [(1,)]
    assert target.rows("select to_regclass('acme.users') is null") == [(True,)]


def test_what_a_frozen_schema_has_no_place_for_is_quarantined(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination(target.config), landing.account()
    landing.write(account, {"1": {"a": 1}})
    landing.land()
    freeze = SchemaStore(landing.engine)
    freeze.save(landing.environment, "acme", "tickets", lambda schema: replace(schema, policy=SchemaPolicy.FREEZE))

    landing.write(account, {"2": {"a": 2, "b": 1}, "3": {"a": "x"}, "4": {"a": 4}})
    landing.land()

    assert _books(landing, destination) == (4, 4, 2, 0, 2, 0)
    assert target.rows("select remote_id from acme.tickets order by 1") == [("1",), ("4",)]
    reasons = landing.rows("select remote_id, reason from destination_quarantine order by 1")
    assert [row["reason"] for row in reasons] == [
        "there is no column for 'b', and the schema is frozen",
        "does not fit the column of 'a', and the schema is frozen",
    ]
    assert landing.verify(destination).is_equal


def test_a_destination_that_is_added_later_is_filled_from_what_there_is(
    landing: Landing, target: TargetDatabase
) -> None:
    account = landing.account()
    for number in range(3):
        landing.write(account, {"1": {"n": number}, str(number): {"n": number}})

    destination = landing.destination(target.config)
    landing.land()

    assert target.rows("select remote_id, n from acme.tickets order by 1") == [("0", 0), ("1", 2), ("2", 2)]
    assert landing.verify(destination).is_equal


def test_a_backfill_writes_again_what_is_missing_at_the_target(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination(target.config), landing.account()
    landing.write(account, {str(n): {"n": n} for n in range(5)})
    landing.land()
    target.execute("delete from acme.tickets where n < 2")
    found = landing.verify(destination)
    assert (found.is_equal, found.differences[0].missing) == (False, 2)

    landing.api.landing.destinations.backfill(landing.environment, destination, from_sequence=0)
    landing.land()

    assert landing.verify(destination).is_equal
    assert _books(landing, destination) == (5, 5, 2, 3, 0, 0)


def test_a_table_that_was_removed_is_made_anew_by_a_backfill_alone(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination(target.config), landing.account()
    landing.write(account, {"1": {"a": 1}})
    landing.land()
    target.execute("drop table acme.tickets")
    landing.write(account, {"2": {"a": 2}})

    landing.land(may_fail=True)

    code, message = _failure(landing, destination)
    assert (code, "backfill" in message) == ("table_gone", True)
    landing.api.landing.destinations.backfill(landing.environment, destination, from_sequence=0)
    landing.land()
    assert target.rows("select remote_id from acme.tickets order by 1") == [("1",), ("2",)]


def test_a_table_of_somebody_else_is_left_alone(landing: Landing, target: TargetDatabase) -> None:
    target.execute(f"create schema acme authorization {OWNER}")
    target.execute("create table acme.tickets (mine text)")
    landing.destination(target.config)
    landing.write(landing.account(), {"1": {"a": 1}})

    landing.land()

    assert target.rows("select count(*) from acme.tickets") == [(0,)]
    assert target.rows("select a from acme.tickets_2") == [(1,)]


@contextmanager
def _away(target: TargetDatabase) -> Iterator[None]:
    target.server.stop()
    try:
        yield
    finally:
        target.server.start()


def test_a_target_that_disappears_and_returns_gets_everything_once(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination(target.config), landing.account()
    landing.write(account, {"1": {"a": 1}})
    landing.land()

    with _away(target):
        landing.write(account, {"1": {"a": 2}, "2": {"a": 2}})
        landing.land(may_fail=True)
        assert _failure(landing, destination)[0] == "target_away"
        assert landing.api.landing.destinations.get(landing.environment, destination).status == "failing"
    landing.pass_time()
    landing.land()

    assert target.rows("select remote_id, a from acme.tickets order by 1") == [("1", 2), ("2", 2)]
    assert _books(landing, destination) == (3, 3, 3, 0, 0, 0)
    assert landing.api.landing.destinations.get(landing.environment, destination).status == "current"


def test_wrong_credentials_are_told_before_the_first_record_and_never_shown(
    landing: Landing, target: TargetDatabase
) -> None:
    wrong = {**target.config, "password": "not-the-password"}
    destination, account = landing.destination(wrong), landing.account()
    (store,) = landing.api.landing.datastores.list(landing.environment, ListFilters()).result
    with pytest.raises(DestinationError, match="refuses the user or password") as refused:
        landing.api.landing.datastores.test(landing.environment, store.id)
    landing.write(account, {"1": {"a": 1}})

    landing.land(may_fail=True)

    code, message = _failure(landing, destination)
    assert (code, refused.value.is_final) == ("wrong_credentials", True)
    assert "not-the-password" not in message + refused.value.message + repr(store)
    landing.api.landing.datastores.update(landing.environment, store.id, {"config": {"password": PASSWORD}})
    landing.land()
    assert target.rows("select count(*) from acme.tickets") == [(1,)]


def test_missing_rights_are_told_in_words(landing: Landing, target: TargetDatabase) -> None:
    target.execute(f"alter database {target.name} owner to ferryman")
    destination = landing.destination(target.config)
    landing.write(landing.account(), {"1": {"a": 1}})

    landing.land(may_fail=True)

    assert _failure(landing, destination) == (
        "missing_rights",
        f"the user lacks a right: permission denied for database {target.name}",
    )
    target.execute(f"alter database {target.name} owner to {OWNER}")
    landing.pass_time()
    landing.land()


def test_a_table_that_somebody_has_locked_is_not_queued_for(landing: Landing, target: TargetDatabase) -> None:
    destination, account = landing.destination(target.config), landing.account()
    landing.write(account, {"1": {"a": 1}})
    landing.land()
    landing.write(account, {"2": {"b": 1}})

    with psycopg.connect(**_arguments(target)) as reader:
        reader.execute("select * from acme.tickets")
        landing.land(may_fail=True)

    assert _failure(landing, destination)[0] == "target_locked"
    landing.pass_time()
    landing.land()
    assert landing.verify(destination).is_equal


def _arguments(target: TargetDatabase) -> Any:
    named = {**target.config, "dbname": target.config["database"]}
    del named["database"]
    return named
