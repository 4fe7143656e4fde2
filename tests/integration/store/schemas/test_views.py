"""Views over records: kept up beside those who read them, and nothing of others is ever touched."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, select

from app.services.schemas.learner import SchemaLearner
from app.store import tables
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect, connections_of
from app.store.schemas.readers import EnvironmentReaders
from app.store.schemas.views import ViewStore
from tests.integration.store.schemas.conftest import Writer, make_learner
from tests.support.servers import PostgresServer


def error_of(writer: Writer, resource: str = "contacts") -> str | None:
    with writer.engine.connect() as connection:
        schema = tables.resource_schema
        error: str | None = connection.execute(
            select(schema.c.view_error).where(schema.c.resource == resource)
        ).scalar_one()
        return error


def columns_of(writer: Writer, view: str = "crm.contacts") -> list[str]:
    rows = writer.rows(
        f"select attname from pg_attribute where attrelid = '{view}'::regclass and attnum > 0 order by attnum"
    )
    return [name for (name,) in rows]


SYSTEM = ["account_id", "tenant_id", "remote_id", "sequence", "synced_at", "deleted_at"]


def test_view_has_the_systems_columns_and_then_the_typed_ones(writer: Writer, learner: SchemaLearner) -> None:
    account = writer.account(tenant="acme")
    writer.write(account, [{"id": "1", "n": 7}, {"id": "2", "n": 8}])

    learner.run_turn()

    assert columns_of(writer) == [*SYSTEM, "id", "n"]
    rows = writer.rows("select account_id, tenant_id, remote_id, sequence, deleted_at, n from crm.contacts order by n")
    assert [(str(row[0]), *row[1:]) for row in rows] == [
        (account, "acme", "1", 1, None, 7),
        (account, "acme", "2", 2, None, 8),
    ]


def test_new_columns_are_appended(writer: Writer, learner: SchemaLearner) -> None:
    account = writer.account()
    for record in ({"id": "1", "m": 1}, {"id": "1", "a": 1}):
        writer.write(account, [record])
        learner.run_turn()

    assert columns_of(writer) == [*SYSTEM, "id", "m", "a"]


def test_environments_and_integrations_have_schemas_of_their_own(writer: Writer, engine: Engine) -> None:
    other = Writer(engine, TokenStore(engine).ensure_environment("Staging 2"))
    for one, integration in ((writer, "crm"), (writer, "CRM"), (other, "crm"), (writer, "pg_x"), (writer, "public")):
        one.write(one.account(integration), [{"in": integration}])

    make_learner(engine).run_turn()

    schemas = [name for (name,) in writer.rows("select view_schema from resource_schema order by 1")]
    assert sorted(schemas) == sorted({*schemas})
    assert {"staging_2__crm", "crm", "crm_2", "_pg_x", "_public"} == {*schemas}
    assert writer.rows("select in_ from staging_2__crm.contacts") == [("crm",)]


def test_resources_whose_names_fold_alike_have_views_of_their_own(writer: Writer, learner: SchemaLearner) -> None:
    account = writer.account()
    for resource in ("a/b", "a.b", "order"):
        writer.write(account, [{"is": resource}], resource=resource)

    learner.run_turn()

    found = {writer.rows(f'select is_ from crm."{name}"')[0][0] for name in ("a_b", "a_b_2", "order_")}
    assert found == {"a/b", "a.b", "order"}


def test_objects_on_top_survive_new_columns(writer: Writer, learner: SchemaLearner) -> None:
    account = writer.account()
    writer.write(account, [{"id": "1", "n": 7}])
    learner.run_turn()
    role = writer.rows("select current_database()")[0][0] + "_bi"
    writer.execute(
        f"create role {role}",
        f"grant usage on schema crm to {role}",
        f"grant select on crm.contacts to {role}",
        "create view mine as select n from crm.contacts",
        "create materialized view kept as select remote_id, n from crm.contacts",
        "create unique index kept_by_id on kept (remote_id)",
        "create table model as select * from crm.contacts",
    )

    writer.write(account, [{"id": "1", "n": "text", "new": True}])
    learner.run_turn()
    writer.execute("refresh materialized view concurrently kept")

    assert columns_of(writer)[-2:] == ["n__text", "new"]
    assert writer.rows("select n from mine") == [(None,)]
    assert writer.rows("select n from kept") == [(None,)]
    assert writer.rows("select n from model") == [(7,)]
    assert writer.rows(f"select has_table_privilege('{role}', 'crm.contacts', 'select')") == [(True,)]
    writer.execute(f"drop owned by {role}", f"drop role {role}")


@contextmanager
def session(engine: Engine) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(connections_of(engine).url) as connection:
        yield connection


def test_reader_is_waited_for_and_keeps_nobody_waiting(writer: Writer, learner: SchemaLearner) -> None:
    account = writer.account()
    writer.write(account, [{"id": "1", "n": 7}])
    learner.run_turn()
    writer.write(account, [{"id": "1", "new": 7}])

    with session(writer.engine) as reader:
        reader.execute("select * from crm.contacts")
        learner.run_turn()
        assert "new" not in columns_of(writer)
        assert writer.rows("select n from crm.contacts") == [(None,)]
    make_learner(writer.engine).run_turn()

    assert columns_of(writer)[-1] == "new"


@pytest.mark.parametrize(
    ("statements", "view"),
    [
        (("create schema crm", "create table crm.contacts (mine int)"), "schema crm is not Ferryman's"),
        (("create schema crm", "create view crm.other as select 1"), "schema crm is not Ferryman's"),
    ],
)
def test_schema_of_a_user_is_left_alone(
    writer: Writer, learner: SchemaLearner, statements: tuple[str, ...], view: str
) -> None:
    writer.execute(*statements)
    writer.write(writer.account(), [{"id": "1"}])

    assert learner.run_turn() is False

    assert (error_of(writer) or "").startswith(view)


@pytest.mark.parametrize("kind", ["view", "table", "materialized view"])
def test_relation_of_a_user_is_left_alone(writer: Writer, learner: SchemaLearner, kind: str) -> None:
    account = writer.account()
    writer.write(account, [{"id": "1"}], resource="first")
    learner.run_turn()
    writer.execute(f"create {kind} crm.contacts as select 1 as mine")

    writer.write(account, [{"id": "1"}])
    learner.run_turn()

    assert (error_of(writer) or "").startswith("crm.contacts is not Ferryman's")
    assert writer.rows("select * from crm.contacts") == [(1,)]


def test_view_that_somebody_has_dropped_is_made_again_after_a_while(writer: Writer, learner: SchemaLearner) -> None:
    writer.write(writer.account(), [{"id": "1"}])
    learner.run_turn()
    writer.execute("drop view crm.contacts", "update resource_schema set view_at = now() - interval '2 minutes'")

    learner.run_turn()

    assert columns_of(writer) == [*SYSTEM, "id"]


def test_schema_that_was_made_for_ferryman_is_used(writer: Writer, learner: SchemaLearner) -> None:
    writer.execute("create schema crm")
    writer.write(writer.account(), [{"id": "1"}])

    learner.run_turn()

    assert columns_of(writer) == [*SYSTEM, "id"]


def test_deleted_account_vanishes_by_itself(writer: Writer, learner: SchemaLearner) -> None:
    account = writer.account()
    writer.write(account, [{"id": "1"}])
    learner.run_turn()

    writer.execute(f"delete from integrated_account where id = '{account}'")

    assert writer.rows("select count(*) from crm.contacts") == [(0,)]


def test_reader_role_reads_its_environments_views_alone(writer: Writer, engine: Engine, learner: SchemaLearner) -> None:
    other = Writer(engine, TokenStore(engine).ensure_environment("other"))
    for one in (writer, other):
        one.write(one.account(), [{"id": "1"}])
    learner.run_turn()
    role = EnvironmentReaders(engine).ensure(writer.environment)

    with session(engine) as reader:
        reader.execute(f"set role {role}")  # type: ignore[arg-type]
        assert reader.execute("select id from crm.contacts").fetchall() == [("1",)]
        for forbidden in ("record", "integrated_account", "other__crm.contacts"):
            reader.execute("savepoint before")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"select * from {forbidden}")  # type: ignore[arg-type]
            reader.execute("rollback to before")


def test_join_of_two_views_compares_no_record_with_all_others(writer: Writer, learner: SchemaLearner) -> None:
    for _ in range(5):
        account = writer.account()
        for resource in ("contacts", "deals"):
            writer.write(account, [{"id": str(number)} for number in range(400)], resource=resource)
    writer.execute("analyze record")

    while learner.run_turn():
        pass

    join = "select count(*) from crm.contacts c join crm.deals d using (account_id, remote_id)"
    plan = [line for (line,) in writer.rows(f"explain {join}")]
    assert [line for line in plan if "Merge Cond" in line or "Hash Cond: ((c." in line or "Hash Cond: ((d." in line]
    assert writer.rows(join) == [(2000,)]


@pytest.fixture
def plain_role(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.fresh_database(is_direct=True) as url, psycopg.connect(url, autocommit=True) as admin:
        name = admin.execute("select current_database() || '_plain'").fetchone()[0]  # type: ignore[index]
        admin.execute(f"create role {name} login")
        admin.execute(f"grant select, insert, update, delete on all tables in schema public to {name}")
        yield f"{url}&user={name}" if "?" in url else f"{url}?user={name}"
        admin.execute(f"drop owned by {name}")
        admin.execute(f"drop role {name}")


def test_missing_rights_are_a_sentence_and_no_fault(plain_role: str) -> None:
    engine = connect(plain_role)
    writer = Writer(engine, TokenStore(engine).ensure_environment("default"))
    writer.write(writer.account(), [{"id": "1"}])

    assert make_learner(engine).run_turn() is False

    assert "may not create schema crm: grant it CREATE on database" in (error_of(writer) or "")
    (error,) = writer.rows("select error from environment_reader")[0]
    assert "grant it CREATEROLE" in error
    assert ViewStore(engine, EnvironmentReaders(engine)).list_outdated(skipped=[], limit=10) == []
    engine.dispose()
