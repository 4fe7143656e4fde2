"""What is done to rows that no trigger watches is in the audit log, where somebody asked for it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, func, insert, select

from app import actors
from app.actors import Actor, ActorKind
from app.engine.ids import new_id
from app.store import tables
from app.store.db.audit_notes import AuditNotes
from app.store.db.database import connect
from app.store.maintenance.parked_units import ParkedUnitStore
from app.store.maintenance.retention import RetentionStore
from app.store.secrets.encryption_keys import KeyStore


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url, pool_size=1)
    yield engine
    engine.dispose()


def _put_account(engine: Engine) -> str:
    account, environment, integration = new_id(), new_id(), new_id()
    owned = {"environment_id": environment}
    values = {"tenant_id": "t", "authentication_method": "api_key", "context_encrypted": b""}
    with engine.begin() as connection:
        connection.execute(insert(tables.environment).values(id=environment, name=environment))
        connection.execute(insert(tables.integration).values(id=integration, name="acme", config={}, **owned))
        one = insert(tables.integrated_account).values(id=account, integration_id=integration, **owned, **values)
        connection.execute(one)
    return account


def _actions(engine: Engine) -> list[tuple[str, str]]:
    table = tables.audit_entry
    with engine.connect() as connection:
        rows = connection.execute(select(table.c.action, table.c.actor_kind).order_by(table.c.created_at))
        return [(row.action, row.actor_kind) for row in rows]


def test_reset_of_a_budget_is_noted_for_who_asked_for_it(engine: Engine) -> None:
    account, units = _put_account(engine), ParkedUnitStore(engine)

    units.wake(account_id=account)
    with actors.act_as(Actor(kind=ActorKind.UI, name="ann")):
        units.wake(account_id=account)
        units.wake(account_id=account, run_id=new_id())

    assert _actions(engine) == [("integrated_account.budget_reset", "ui")]


def test_issued_token_of_an_account_is_noted(engine: Engine) -> None:
    account = _put_account(engine)

    with actors.act_as(Actor(kind=ActorKind.TOKEN, name="ci")):
        AuditNotes(engine).note_issued_token(account, {"expires_at": "2026-01-01T00:00:00.000Z"})

    assert _actions(engine) == [("integrated_account.token_issued", "token")]


def test_rotated_key_is_noted_in_every_environment_and_the_first_one_is_not(database_url: str) -> None:
    engine = connect(database_url, pool_size=1, actor=Actor(kind=ActorKind.OPERATOR, name="root"))
    keys = KeyStore(engine)
    with engine.begin() as connection:
        connection.execute(insert(tables.environment), [{"id": new_id(), "name": new_id()} for _ in range(2)])
        count = connection.execute(select(func.count()).select_from(tables.environment)).scalar_one()

    keys.make_current("first", b"1", instead_of=None)
    keys.make_current("second", b"2", instead_of="first")
    keys.make_current("late", b"3", instead_of="first")

    assert _actions(engine).count(("encryption_key.rotated", "operator")) == count >= 2
    engine.dispose()


def test_operator_is_named_where_no_request_is(database_url: str) -> None:
    engine = connect(database_url, pool_size=1, actor=Actor(kind=ActorKind.OPERATOR, name="root"))
    _put_account(engine)

    assert set(_actions(engine)) == {
        ("environment.created", "operator"),
        ("integration.created", "operator"),
        ("integrated_account.created", "operator"),
    }
    engine.dispose()


def test_what_is_rolled_back_leaves_no_entry(engine: Engine) -> None:
    with actors.act_as(Actor(kind=ActorKind.UI)), engine.connect() as connection:
        connection.execute(insert(tables.environment).values(id=new_id(), name="never"))
        connection.rollback()

    assert _actions(engine) == []


def test_old_entries_go(database_url: str) -> None:
    engine = connect(database_url, pool_size=1, actor=Actor(kind=ActorKind.OPERATOR))
    _put_account(engine)

    removed = [RetentionStore(engine).prune("audit entries", seconds=seconds, limit=2) for seconds in (3600, 0, 0, 0)]

    assert removed == [0, 2, 1, 0]
    assert _actions(engine) == []
    engine.dispose()
