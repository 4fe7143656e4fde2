"""The migrations make exactly the tables that app/store/tables/ describes, and keep what an older schema held."""

import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, MetaData, Table, create_engine, insert, select, text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB, UUID
from sqlalchemy.pool import NullPool
from sqlalchemy.types import Boolean, DateTime, Integer, Text

from app.engine.errors import (
    InvalidInputError,
    IrreversibleMigrationError,
    StoreOfLaterVersionError,
    StoreRightsError,
)
from app.engine.json_types import JSON
from app.engine.status import AccountStatus, DaemonStatus, DeliveryStatus, ResourceStatus, RunStatus, UnitStatus
from app.store import tables
from app.store.db import migrate
from tests.support.servers import PostgresServer

_OLDEST = "0001"
_ID = "0190f0f0-0000-7000-8000-000000000001"

# Names, types, defaults, nullability, identity; the order of columns tells only when each was added.
_COLUMNS = """
    select format('%s.%s %s %s %s identity=%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                  case when a.attnotnull then 'not null' else 'null' end,
                  pg_get_expr(d.adbin, d.adrelid), a.attidentity)
      from pg_attribute a join pg_class c on c.oid = a.attrelid
      left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
"""
_CONSTRAINTS = """
    select format('%s: %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) from pg_constraint
     where connamespace = 'public'::regnamespace
"""
# Whole definitions: a partial index shows its condition, and every index its options.
_INDEXES = "select indexdef from pg_indexes where schemaname = 'public'"
_OPTIONS = """
    select format('%s %s', relname, reloptions) from pg_class
     where relnamespace = 'public'::regnamespace and reloptions is not null
"""

_SAMPLES: Mapping[type, JSON | bytes | datetime] = {
    UUID: _ID,
    ARRAY: ["a", "b"],
    JSONB: {"kept": [1, None, "ü"]},
    BYTEA: b"\x00\xff",
    DateTime: datetime(2026, 1, 5, 12, 30, 15, 123456, tzinfo=UTC),
    Boolean: True,
    Integer: 7,
    Text: "a text",
}

_STATUSES = {
    "sync_job_run": RunStatus.COMPLETED,
    "run_resource": ResourceStatus.COMPLETED,
    "unit": UnitStatus.DONE,
    "delivery": DeliveryStatus.DELIVERED,
    "daemon": DaemonStatus.STOPPED,
    "integrated_account": AccountStatus.ACTIVE,
    "deleted_account": AccountStatus.ACTIVE,
}


@pytest.fixture
def empty_url(postgres_server: PostgresServer) -> Iterator[str]:
    # As migrations always do: a pooler is for what serves.
    with postgres_server.fresh_database(template="template0", is_direct=True) as url:
        yield url


@pytest.fixture
def connection(empty_url: str) -> Iterator[Connection]:
    """A connection to the empty database, each statement on its own."""
    engine = create_engine(
        empty_url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as made:
        yield made


def test_migrations_lead_to_the_described_tables(empty_url: str, connection: Connection) -> None:
    migrate.upgrade(empty_url)

    options = {"compare_type": True, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    assert compare_metadata(context, tables.metadata) == []


@pytest.mark.parametrize(
    "question",
    [_COLUMNS, _CONSTRAINTS, _INDEXES, _OPTIONS],
    ids=["columns", "constraints", "indexes", "options"],
)
def test_migrated_catalog_is_that_of_the_described_tables(
    database_url: str, connection: Connection, question: str
) -> None:
    tables.metadata.create_all(connection)
    described = _catalog(connection, question)

    migrated_engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with migrated_engine.connect() as migrated:
        found = _catalog(migrated, question)

    assert described
    assert found == described


def test_migrating_keeps_every_row_of_the_first_schema(empty_url: str, connection: Connection) -> None:
    migrate.upgrade(empty_url, _OLDEST)
    oldest = _reflected(connection)
    for table in oldest.sorted_tables:
        connection.execute(insert(table).values(_sample(table)))
    before = {table.name: connection.execute(select(table)).mappings().one() for table in oldest.sorted_tables}

    migrate.upgrade(empty_url)

    after = {table.name: connection.execute(select(table)).mappings().one() for table in oldest.sorted_tables}
    assert len(before) > 10
    assert after == before


def test_errors_of_an_older_schema_are_given_the_environment_of_their_run(
    empty_url: str, connection: Connection
) -> None:
    migrate.upgrade(empty_url, _OLDEST)
    for table in _reflected(connection).sorted_tables:
        connection.execute(insert(table).values(_sample(table)))

    migrate.upgrade(empty_url)

    assert str(connection.execute(text("select environment_id from run_error")).scalar_one()) == _ID


def test_migrating_twice_changes_nothing(empty_url: str, connection: Connection) -> None:
    migrate.upgrade(empty_url)
    before = _catalog(connection, _COLUMNS)

    migrate.upgrade(empty_url)

    assert _catalog(connection, _COLUMNS) == before


REVISIONS = [script.revision for script in ScriptDirectory(str(migrate._MIGRATIONS)).walk_revisions()]
IRREVERSIBLE_THROUGH = "0009"
"""The format of sealed values changed with it, which versions before can not read."""


def test_each_migration_is_undone_or_tells_that_a_backup_does_it(empty_url: str, connection: Connection) -> None:
    """Down from the newest, the catalog is at each revision what going up to it has made."""
    upwards = {}
    for revision in reversed(REVISIONS):
        migrate.upgrade(empty_url, revision)
        upwards[revision] = _whole_catalog(connection)

    for newer, older in pairwise(REVISIONS):
        if newer <= IRREVERSIBLE_THROUGH:
            with pytest.raises(IrreversibleMigrationError, match=f"{newer} can not be undone: restore a backup"):
                migrate.downgrade(empty_url, older)
            break
        migrate.downgrade(empty_url, older)
        assert _whole_catalog(connection) == upwards[older], f"{newer} back to {older}"
    migrate.upgrade(empty_url)

    assert _whole_catalog(connection) == upwards[REVISIONS[0]]
    for script in ScriptDirectory(str(migrate._MIGRATIONS)).walk_revisions():
        assert hasattr(script.module, "downgrade"), script.revision


def test_revision_that_is_none_is_told(empty_url: str) -> None:
    migrate.upgrade(empty_url)

    with pytest.raises(InvalidInputError, match="there is no revision 'yesterday' to go back to"):
        migrate.downgrade(empty_url, "yesterday")


def test_deleted_accounts_that_wait_are_not_forgotten_by_going_back(empty_url: str, connection: Connection) -> None:
    migrate.upgrade(empty_url)
    table = _reflected(connection).tables["deleted_account"]
    connection.execute(insert(table).values(_sample(table)))

    with pytest.raises(IrreversibleMigrationError, match="1 deleted accounts wait to be erased"):
        migrate.downgrade(empty_url, "0011")

    assert connection.execute(text("select count(*) from deleted_account")).scalar_one() == 1


def test_what_has_landed_of_a_run_is_counted_as_before_by_going_back(empty_url: str, connection: Connection) -> None:
    migrate.upgrade(empty_url, "0037")
    tables = _reflected(connection).tables
    landed = [{"destination_id": _ID, "label": None, "through": 9, "records": 7, "landed": 4, "filtered": 3}]
    connection.execute(insert(tables["environment"]).values(_sample(tables["environment"])))
    connection.execute(
        insert(tables["sync_job_run"]).values({**_sample(tables["sync_job_run"]), "destinations": landed})
    )
    shown = text("select destinations from sync_job_run")

    migrate.upgrade(empty_url, "0038")
    ((after,),) = connection.execute(shown).scalars()
    migrate.downgrade(empty_url, "0037")

    assert {"written": 4, "unchanged": 0}.items() <= after.items()
    assert "landed" not in after
    assert connection.execute(shown).scalar_one() == landed


@pytest.mark.parametrize("is_there", [True, False], ids=["present", "deleted"])
def test_accounts_that_were_deleted_before_are_erased_too(
    empty_url: str, connection: Connection, is_there: bool
) -> None:
    """Nothing but records and runs is left of one, which no route reached."""
    migrate.upgrade(empty_url, _OLDEST)
    for table in _reflected(connection).sorted_tables:
        connection.execute(insert(table).values(_sample(table)))
    if not is_there:
        connection.execute(text("delete from integrated_account"))

    migrate.upgrade(empty_url)

    asked = "select environment_id::text, integrated_account_id::text, resource, due_at > now() from erasure"
    assert connection.execute(text(asked)).all() == ([] if is_there else [(_ID, _ID, None, True)])


@pytest.mark.parametrize("name", ["100% sure", "%(here)s", "a b#c;d"])
def test_path_of_the_checkout_may_hold_anything(
    empty_url: str, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    copied = shutil.copytree(migrate._MIGRATIONS, tmp_path / name / "migrations")
    monkeypatch.setattr(migrate, "_MIGRATIONS", copied)

    migrate.upgrade(empty_url)

    assert connection.execute(text("select version_num from alembic_version")).scalar_one() == REVISIONS[0]


def test_missing_right_is_one_sentence(empty_url: str, connection: Connection) -> None:
    connection.execute(text("drop role if exists guest"))
    connection.execute(text("create role guest login"))
    connection.execute(text("revoke create on schema public from public"))
    guest_url = empty_url.replace("//ferryman@", "//guest@")
    assert guest_url != empty_url

    with pytest.raises(StoreRightsError) as refused:
        migrate.upgrade(guest_url)

    assert "\n" not in refused.value.message
    assert refused.value.message.startswith(
        "the role 'guest' may not migrate the database (permission denied for schema public)"
    )
    connection.execute(text("drop role guest"))


def test_records_of_the_first_schema_are_to_be_numbered_and_those_of_an_empty_one_not(
    empty_url: str, connection: Connection
) -> None:
    finished = text("select finished_at is not null from online_migration where name = 'record_numbers'")
    migrate.upgrade(empty_url)
    assert connection.execute(finished).scalar_one() is True
    migrate.downgrade(empty_url, "0015")
    record = _reflected(connection).tables["record"]
    connection.execute(insert(record).values(_sample(record)))

    migrate.upgrade(empty_url)

    assert connection.execute(finished).scalar_one() is False


def _whole_catalog(connection: Connection) -> list[str]:
    return [
        line for question in (_COLUMNS, _CONSTRAINTS, _INDEXES, _OPTIONS) for line in _catalog(connection, question)
    ]


def _catalog(connection: Connection, question: str) -> list[str]:
    lines = connection.execute(text(question)).scalars()
    return sorted(line for line in lines if "alembic_version" not in line)


def _reflected(connection: Connection) -> MetaData:
    metadata = MetaData()
    metadata.reflect(connection, only=lambda name, _: name != "alembic_version")
    return metadata


def _sample(table: Table) -> dict[str, JSON | bytes | datetime]:
    """Make a row with a value in every column; all ids are one, so that every reference holds."""
    return {column.name: _value(column) for column in table.columns if column.identity is None}


def _value(column: Column[object]) -> JSON | bytes | datetime:
    if column.name == "status" and column.table.name in _STATUSES:
        return _STATUSES[column.table.name]
    return next(value for kind, value in _SAMPLES.items() if isinstance(column.type, kind))


def test_database_of_a_later_version_is_left_as_it_is(empty_url: str, connection: Connection) -> None:
    migrate.upgrade(empty_url)
    connection.execute(text("update alembic_version set version_num = 'later'"))
    connection.commit()

    with pytest.raises(StoreOfLaterVersionError, match=r"later version of Ferryman \(revision later\)"):
        migrate.upgrade(empty_url)
