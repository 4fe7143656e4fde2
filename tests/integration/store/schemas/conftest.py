"""Records written past the engine, and a learner that learns from them without rest."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text

from app.bootstrap.shared import SystemClock
from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.engine.schemas.columns import ResourceSchema
from app.services.schemas.learner import SchemaLearner
from app.services.schemas.shares import Share
from app.store import tables
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect
from app.store.records import account_log
from app.store.schemas.readers import EnvironmentReaders
from app.store.schemas.schemas import SchemaStore
from app.store.schemas.views import ViewStore
from app.store.schemas.written_values import WrittenValues

_WRITE = text("""
    insert into record (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id, sequence)
    select cast(:account_id as uuid), :resource, coalesce(data ->> 'id', cast(number as text)), data, '',
           cast(:account_id as uuid), :first + number - 1
      from jsonb_array_elements(cast(:records as jsonb)) with ordinality one (data, number)
        on conflict (integrated_account_id, resource, remote_id) do update
       set data = excluded.data, sequence = excluded.sequence
""")


@dataclass
class Writer:
    """One environment with integrations and accounts, whose records tests write."""

    engine: Engine
    environment: EnvironmentId
    integrations: dict[str, str] = field(default_factory=dict)

    def account(self, integration: str = "crm", *, config: dict[str, Any] | None = None, tenant: str = "acme") -> str:
        """Make an account of an integration, which is made with its first one."""
        id = new_id()
        with self.engine.begin() as connection:
            if integration not in self.integrations:
                self.integrations[integration] = new_id()
                values = {"id": self.integrations[integration], "name": integration, "config": config or {}}
                connection.execute(insert(tables.integration).values(**values, environment_id=self.environment))
            account: dict[str, Any] = {
                "id": id,
                "integration_id": self.integrations[integration],
                "tenant_id": tenant,
                "authentication_method": "api_key",
                "context_encrypted": b"",
            }
            connection.execute(insert(tables.integrated_account).values(**account, environment_id=self.environment))
        return id

    def write(self, account: str, records: Sequence[Any], *, resource: str = "contacts") -> None:
        """Write records as a page does: known by their id, else by their place in the page."""
        with self.engine.begin() as connection:
            first = account_log.allocate(connection, account, len(records))
            values = {"account_id": account, "resource": resource, "first": first, "records": json.dumps(records)}
            connection.execute(_WRITE, values)

    def schema(self, resource: str = "contacts", integration: str = "crm") -> ResourceSchema:
        found = SchemaStore(self.engine).read(self.environment, integration, resource)
        assert found is not None
        return found

    def shapes(self, resource: str = "contacts", integration: str = "crm") -> list[tuple[str, str]]:
        return [(column.name, column.type.value) for column in self.schema(resource, integration).columns]

    def rows(self, statement: str) -> list[Any]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def execute(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


@pytest.fixture
def writer(engine: Engine) -> Writer:
    return Writer(engine, TokenStore(engine).ensure_environment("default"))


def make_learner(engine: Engine, share: Share | None = None) -> SchemaLearner:
    views = ViewStore(engine, EnvironmentReaders(engine))
    return SchemaLearner(
        values=WrittenValues(engine),
        schemas=SchemaStore(engine),
        list_outdated_views=views.list_outdated,
        update_view=views.update,
        share=share or Share(pause=lambda _: None),
        clock=SystemClock(),
    )


@pytest.fixture
def learner(engine: Engine) -> SchemaLearner:
    return make_learner(engine)
