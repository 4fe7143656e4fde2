"""Stores of the catalog, and the table that stands for them in unit tests, do what ``app.services.crud`` describes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine

from app.engine.errors import PreconditionFailedError
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, RowVersion
from app.store.catalog.integrations import IntegrationStore
from app.store.catalog.jobs import JobStore, TemplateStore
from app.store.catalog.tokens import TokenStore
from app.store.catalog.unified_models import UnifiedModelStore
from app.store.db.database import connect
from app.store.db.row_versions import RowVersions
from app.store.secrets.encryption import Cipher
from app.store.secrets.encryption_keys import KeyStore
from tests.unit.services.service_tables import FakeTable, integration, sync_job, unified_model

JOB: JsonObject = {"integration_name": "crm", "args_schema": {}, "resources": [], "label": "old"}
TEMPLATE: JsonObject = {**JOB, "sharing": "deny"}
INTEGRATION: JsonObject = {"name": "crm", "config": {"base_url": "https://up.test"}}
MODEL: JsonObject = {"name": "crm", "resources": {"contacts": {}}}
ABSENT = "00000000-0000-4000-8000-000000000000"


@dataclass
class Subject:
    """A store, with what its objects are created from and changed to."""

    store: Any
    version_of: Callable[[str], RowVersion | None]
    values: JsonObject
    changes: JsonObject
    here: EnvironmentId
    elsewhere: EnvironmentId

    def create(self) -> Any:
        return self.store.create(self.here, new_id(), self.values)

    def update(self, id: str, *, seen: RowVersion | None = None, version: int = 1) -> Any:
        counted = {"version": version} if self.is_versioned else {}
        return self.store.update(self.here, id, self.changes, seen=seen, **counted)

    @property
    def is_versioned(self) -> bool:
        return "name" in self.values


def fake(make: Callable[..., Any], values: JsonObject, changes: JsonObject) -> Subject:
    table: Any = FakeTable(make)
    return Subject(table, table.version, values, changes, EnvironmentId("here"), EnvironmentId("elsewhere"))


def real(engine: Engine, kind: str, store: Any, values: JsonObject, changes: JsonObject) -> Subject:
    here, elsewhere = (TokenStore(engine).ensure_environment(name) for name in ("here", "elsewhere"))
    versions = RowVersions(engine)
    return Subject(store, lambda id: versions.of(kind, here, {"id": id}), values, changes, here, elsewhere)


FAKES: dict[str, Callable[[], Subject]] = {
    "fake job": lambda: fake(sync_job, JOB, {"label": "new"}),
    "fake integration": lambda: fake(integration, INTEGRATION, {"category": "sales"}),
    "fake unified model": lambda: fake(unified_model, MODEL, {"category": "sales"}),
}
REAL: dict[str, Callable[[Engine], Subject]] = {
    "job": lambda engine: real(engine, "sync job", JobStore(engine), JOB, {"label": "new"}),
    "template": lambda engine: real(engine, "sync job template", TemplateStore(engine), TEMPLATE, {"label": "new"}),
    "integration": lambda engine: real(
        engine,
        "integration",
        IntegrationStore(engine, Cipher(Fernet.generate_key().decode(), KeyStore(engine))),
        INTEGRATION,
        {"category": "sales"},
    ),
    "unified model": lambda engine: real(
        engine, "unified model", UnifiedModelStore(engine), MODEL, {"category": "sales"}
    ),
}

VERSIONED = ["fake integration", "fake unified model", "integration", "unified model"]


@pytest.fixture(params=[*FAKES, *REAL])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param in FAKES:
        yield FAKES[request.param]()
        return
    engine = connect(request.getfixturevalue("database_url"))
    yield REAL[request.param](engine)
    engine.dispose()


def test_object_is_read_where_it_was_created_and_nowhere_else(subject: Subject) -> None:
    made = subject.create()

    assert subject.store.get(subject.here, made.id) == made
    assert subject.store.list(subject.here, ListFilters()).result == [made]
    assert subject.store.get(subject.elsewhere, made.id) is None
    assert subject.store.list(subject.elsewhere, ListFilters()).result == []
    assert {name: getattr(made, name) for name in subject.values} == subject.values


def test_change_is_written_and_returned(subject: Subject) -> None:
    made = subject.create()

    changed = subject.update(made.id)

    assert {name: getattr(changed, name) for name in subject.changes} == subject.changes
    assert subject.store.get(subject.here, made.id) == changed


@pytest.mark.parametrize("subject", VERSIONED, indirect=True)
def test_object_with_a_name_is_found_by_it(subject: Subject) -> None:
    made = subject.create()

    assert subject.store.by_name(subject.here, subject.values["name"]) == made
    assert subject.store.by_name(subject.elsewhere, subject.values["name"]) is None


@pytest.mark.parametrize("subject", VERSIONED, indirect=True)
def test_change_increments_the_version_that_it_names(subject: Subject) -> None:
    made = subject.create()

    assert subject.update(made.id, version=7) is None
    assert subject.store.get(subject.here, made.id) == made
    assert subject.update(made.id, version=1).version == 2


def test_what_does_not_exist_is_neither_changed_nor_removed(subject: Subject) -> None:
    assert subject.update(ABSENT) is None
    assert subject.store.delete(subject.here, ABSENT) is False
    assert subject.store.delete(subject.elsewhere, subject.create().id) is False


def test_write_for_a_version_that_is_not_the_present_one_is_refused(subject: Subject) -> None:
    made = subject.create()
    before = subject.version_of(made.id)
    subject.update(made.id, seen=before)

    with pytest.raises(PreconditionFailedError):
        subject.update(made.id, seen=before, version=2)
    with pytest.raises(PreconditionFailedError):
        subject.store.delete(subject.here, made.id, seen=before)

    assert subject.store.delete(subject.here, made.id, seen=subject.version_of(made.id)) is True
    assert subject.store.get(subject.here, made.id) is None
