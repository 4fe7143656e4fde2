"""Schemas in Postgres: as they were saved, by several at once, with their history."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import Engine, select

from app.engine.objects.environments import EnvironmentId
from app.engine.schemas.columns import Column, ColumnType, ResourceSchema, SchemaPolicy
from app.engine.schemas.learning import learn
from app.store import tables
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect
from app.store.schemas.schemas import SchemaStore

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


@pytest.fixture
def store(engine: Engine) -> SchemaStore:
    return SchemaStore(engine)


@pytest.fixture
def here(engine: Engine) -> EnvironmentId:
    return TokenStore(engine).ensure_environment("here")


def add_key(key: str, schema: ResourceSchema) -> ResourceSchema:
    return learn(schema, {key: {ColumnType.TEXT}}, AT)


def test_nothing_is_known_at_first(store: SchemaStore, here: EnvironmentId) -> None:
    assert store.read(here, "crm", "contacts") is None
    assert store.list(here) == []


def test_schema_is_read_as_it_was_saved(store: SchemaStore, here: EnvironmentId) -> None:
    column = Column(name="größe", key="a\"'", type=ColumnType.DATE, is_declared=True, is_ignored=True, first_seen_at=AT)

    saved = store.save(
        here,
        "crm",
        "contacts",
        lambda schema: replace(schema, columns=(column,), policy=SchemaPolicy.NOTIFY, left_out=3),
    )

    assert store.read(here, "crm", "contacts") == saved
    assert saved.columns == (column,)
    assert (saved.policy, saved.left_out) == (SchemaPolicy.NOTIFY, 3)


def test_schemas_are_listed_by_integration_and_resource(
    store: SchemaStore, here: EnvironmentId, engine: Engine
) -> None:
    elsewhere = TokenStore(engine).ensure_environment("elsewhere")
    for environment, integration, resource in [
        (here, "b", "x"),
        (here, "a", "y"),
        (here, "a", "x"),
        (elsewhere, "a", "x"),
    ]:
        store.save(environment, integration, resource, partial(add_key, "k"))

    def places(**only: str) -> list[tuple[str, str]]:
        return [(found.integration_name, found.resource) for found in store.list(here, **only)]

    assert places() == [("a", "x"), ("a", "y"), ("b", "x")]
    assert places(integration_name="b") == [("b", "x")]
    assert places(resource="x") == [("a", "x"), ("b", "x")]


def test_all_that_learn_at_once_survive(store: SchemaStore, here: EnvironmentId) -> None:
    keys = [f"key{number}" for number in range(12)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: store.save(here, "crm", "contacts", partial(add_key, key)), keys))

    saved = store.read(here, "crm", "contacts")
    assert saved is not None
    assert sorted(column.key for column in saved.columns) == sorted(keys)


def test_history_and_version_tell_each_change_once(store: SchemaStore, here: EnvironmentId, engine: Engine) -> None:
    for _ in range(2):
        store.save(here, "crm", "contacts", partial(add_key, "k"))

    with engine.connect() as connection:
        entries = connection.execute(select(tables.resource_schema_change)).mappings().all()
        version = connection.execute(select(tables.resource_schema.c.version)).scalar_one()
    assert [(entry["kind"], entry["column_name"]) for entry in entries] == [("added", "k")]
    assert version == 2
