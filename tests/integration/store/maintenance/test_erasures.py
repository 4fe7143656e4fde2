"""What is erased of an account is all of it, and nothing of another one; each bit is counted where it is erased."""

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, insert, select, text

from app.engine.ids import new_id
from app.engine.objects.accounts import Erasure, ErasureStatus
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.store import tables
from app.store.accounts.accounts import AccountStore
from app.store.accounts.deleted import DeletedAccounts
from app.store.db.database import connect
from app.store.maintenance.erasures import ErasureStore
from app.store.secrets.encryption import Cipher
from app.store.secrets.encryption_keys import KeyStore
from tests.support.rows import put

ENVIRONMENT = EnvironmentId(new_id())


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    with made.begin() as connection:
        connection.execute(insert(tables.environment).values(id=ENVIRONMENT, name="tested"))
    yield made
    made.dispose()


@pytest.fixture
def erasures(engine: Engine) -> ErasureStore:
    return ErasureStore(engine)


@pytest.fixture
def deleted(engine: Engine) -> DeletedAccounts:
    return DeletedAccounts(engine)


@pytest.fixture
def accounts(engine: Engine) -> AccountStore:
    return AccountStore(engine, Cipher(Fernet.generate_key().decode(), KeyStore(engine)))


def new_account(engine: Engine, accounts: AccountStore) -> str:
    """Make an account."""
    integration = put(engine, "integration", environment_id=ENVIRONMENT, name=new_id(), config={})
    values = {"integration_id": integration, "tenant_id": "t", "authentication_method": "api_key"}
    overrides = {"unified_model_override": {}, "integration_override": {}}
    return accounts.create(ENVIRONMENT, new_id(), {**values, **overrides}, context={"api_key": "s3cret"}).id


def fill(engine: Engine, account: str, *, status: str = "completed") -> str:
    """Put something of an account into every table that holds any; give its run."""
    owned = {"environment_id": ENVIRONMENT, "integrated_account_id": account}
    job = {"sync_job_id": new_id(), "args": {"of": account}, "resources": []}
    run = put(engine, "sync_job_run", status=status, args_hash=b"", sync_job={}, queue="q", **job, **owned)
    begun = {"id": run, "actor_kind": "account", "actor_id": account, "created_at": text("now()")}
    put(engine, "run_start", environment_id=ENVIRONMENT, **begun)
    shape = {"position": 0, "name": "users", "resource": "users", "method": "list", "persist": True}
    resource = put(engine, "run_resource", run_id=run, **shape)
    put(engine, "unit", run_id=run, resource_id=resource, kind="fetch", status="done", elements=[{"parent": account}])
    put(engine, "spool_batch", resource_id=resource, bytes=2, records=account.encode())
    put(engine, "run_error", run_id=run, code="x", message=account, environment_id=ENVIRONMENT)
    put(engine, "record_seen", resource_id=resource, remote_ids=[account])
    record = {"integrated_account_id": account, "resource": "users", "remote_id": "1", "content_hash": b""}
    put(engine, "record", data={"email": account}, sync_job_run_id=run, sequence=4, **record)
    put(engine, "webhook_record", webhook_id=new_id(), delivery_id=new_id(), is_new=True, **record)
    key = {"resource": "users", "webhook_id": new_id(), "sync_job_id": new_id(), "keys": [], "args_hash": b""}
    put(engine, "record_key", integrated_account_id=account, **key)
    put(engine, "account_log", integrated_account_id=account, last_sequence=4)
    counted = {"counts": {"users": 1}, "counted_through": 4, "counted_at": text("now()"), "seconds": 0.1}
    put(engine, "record_count", integrated_account_id=account, **counted)
    put(engine, "schema_cursor", integrated_account_id=account, sequence=4)
    event = {"webhook_id": new_id(), "event": "record", "body": f'{{"id": "{account}"}}'.encode()}
    put(engine, "delivery", run_id=run, integrated_account_id=account, log_sequence=3, **event)
    put(engine, "delivery", **event)
    call = {"api": "proxy", "method": "list", "response_status": 200, "duration_ms": 1, "request_id": new_id()}
    put(engine, "direct_call", **call, **owned)
    trigger = {"cron_expression": "* * * * *", "timezone": "UTC", "sync_job_id": new_id(), "args": {}, "resources": []}
    trigger_id = put(engine, "sync_job_cron_trigger", **trigger, **owned)
    fire = {"sync_job_cron_trigger_id": trigger_id, "due_at": text("now()"), "sync_job_run_id": run}
    put(engine, "cron_trigger_fire", environment_id=ENVIRONMENT, **fire)
    state = {"state_key": account, "key": account, "value": account, "sync_job_run_id": run}
    put(engine, "sync_job_run_state", environment_id=ENVIRONMENT, **state)
    to = put(engine, "notification_destination", environment_id=ENVIRONMENT, type="slack", config_encrypted=b"")
    told = {"notification_destination_id": to, "event": "record:stale"}
    # By the account's own id, so that what only names the rule is found.
    rule = put(engine, "notification_rule", id=account, config={}, **told, **owned)
    put(
        engine,
        "notification_watermark",
        owner_id=rule,
        notification_rule_id=rule,
        notification_destination_id=to,
        watched_through=text("now()"),
    )
    facts = {"facts": {"sync_job_run_id": run}, "opened_at": text("now()")}
    put(engine, "incident", subject=account, **facts, **told, **owned)
    put(engine, "incident", subject=account, notification_rule_id=rule, **facts, **told, **owned)
    message = {"kind": "opened", "message": {"text": [f"account {account}"], "run": run}}
    put(engine, "notification", environment_id=ENVIRONMENT, **message, **told)
    put(engine, "notification", environment_id=ENVIRONMENT, notification_rule_id=rule, **message, **told)
    bulk = {"environment_id": ENVIRONMENT, "kind": "stop", "filters": {"account": account}}
    put(engine, "bulk_action_run", bulk_action_id=put(engine, "bulk_action", **bulk), run_id=run, resumes=0)
    audited = {"action": "a", "object_type": "integrated_account", "object_id": account, "actor_kind": "token"}
    put(engine, "audit_entry", before={"tenant_id": account}, after={"email": account}, **audited, **owned)
    return run


def named_in(engine: Engine, account: str, run: str) -> set[str]:
    """List the tables of which a row names an account or its run, in whatever column."""
    found = set()
    with engine.connect() as connection:
        for table in tables.metadata.tables.values():
            is_named = "strpos(t::text, :account) > 0 or strpos(t::text, :hex) > 0 or strpos(t::text, :run) > 0"
            statement = text(f"select exists (select from {table.name} t where {is_named})")
            given = {"account": account, "hex": account.encode().hex(), "run": run}
            if connection.execute(statement, given).scalar_one():
                found.add(table.name)
    return found


def erase_all(erasures: ErasureStore, *, limit: int = 1000) -> list[Erasure]:
    """Erase what is due; give it as it is then."""
    due = erasures.find_due(skipped=[], limit=100)
    for erasure in due:
        erasures.begin(erasure.id)
        for _ in range(200):
            if not erasures.erase_some(erasure, limit=limit):
                break
    return list(erasures.list(ENVIRONMENT, ListFilters()).result)


def tables_of_an_account() -> set[str]:
    """List the tables whose rows belong to an account, by a column or by a reference to one that has it."""
    found = {name for name, table in tables.metadata.tables.items() if "integrated_account_id" in table.c}
    found |= {name for name, table in tables.metadata.tables.items() if "sync_job_run_id" in table.c}
    while (
        more := {
            name
            for name, table in tables.metadata.tables.items()
            if any(key.column.table.name in found for key in table.foreign_keys)
        }
        - found
    ):
        found |= more
    # What destinations hold is erased there first, and their cursors with it: tests/integration/destinations.
    elsewhere = {"erasure", "destination", "destination_cursor", "destination_quarantine"}
    return found - elsewhere | {"integrated_account"}


@pytest.mark.parametrize("limit", [1, 1000])
def test_account_is_erased_with_all_that_names_it_and_nobody_else(
    engine: Engine, accounts: AccountStore, erasures: ErasureStore, limit: int
) -> None:
    account, other = new_account(engine, accounts), new_account(engine, accounts)
    run, others_run = fill(engine, account), fill(engine, other)
    before = named_in(engine, account, run)
    assert tables_of_an_account() <= before, "fill() has to put a row into each of these"

    accounts.delete(ENVIRONMENT, account, erase_after_seconds=0)
    (erasure,) = erase_all(erasures, limit=limit)

    # That it was changed, and erased, stays; not what it was.
    assert named_in(engine, account, run) == {"erasure", "audit_entry"}
    with engine.connect() as connection:
        entries = connection.execute(select(tables.audit_entry).filter_by(integrated_account_id=account)).all()
    assert [(entry.before, entry.after) for entry in entries] == [(None, None)]
    assert named_in(engine, other, others_run) == before
    assert erasure.status is ErasureStatus.ERASED
    assert erasure.finished_at is not None
    counted = {"credentials": 1, "delivery": 2, "record": 1, "sync_job_run": 1, "unit": 1, "webhook_record": 1}
    assert counted.items() <= erasure.erased.items()


def test_erasure_goes_on_from_where_it_was_left(engine: Engine, accounts: AccountStore, erasures: ErasureStore) -> None:
    account = new_account(engine, accounts)
    fill(engine, account)
    accounts.delete(ENVIRONMENT, account, erase_after_seconds=0)
    (erasure,) = erasures.find_due(skipped=[], limit=10)

    erasures.begin(erasure.id)
    assert [erasures.erase_some(erasure, limit=1) for _ in range(3)] == [True] * 3

    (begun,) = ErasureStore(engine).find_due(skipped=[], limit=10)
    assert (begun.status, sum(begun.erased.values())) == (ErasureStatus.ERASING, 3)
    assert [one.status for one in erase_all(ErasureStore(engine))] == [ErasureStatus.ERASED]


def test_nothing_is_finished_while_a_run_lives(engine: Engine, accounts: AccountStore, erasures: ErasureStore) -> None:
    account = new_account(engine, accounts)
    run = fill(engine, account, status="running")
    accounts.delete(ENVIRONMENT, account, erase_after_seconds=0)

    (erasure,) = erase_all(erasures)

    assert erasure.status is ErasureStatus.ERASING
    assert erasures.find_live_runs(account, limit=10) == [run]


def test_deleted_account_waits_and_comes_back_as_it_was(
    engine: Engine, accounts: AccountStore, erasures: ErasureStore, deleted: DeletedAccounts
) -> None:
    account = new_account(engine, accounts)
    run = fill(engine, account)
    before, held = accounts.get(ENVIRONMENT, account), named_in(engine, account, run)
    accounts.delete(ENVIRONMENT, account, erase_after_seconds=3600)
    assert accounts.get(ENVIRONMENT, account) is None
    (waiting,) = erase_all(erasures)
    assert waiting.status is ErasureStatus.WAITING

    assert deleted.restore(ENVIRONMENT, account) is True

    assert accounts.get(ENVIRONMENT, account) == before
    assert named_in(engine, account, run) == held
    assert erasures.list(ENVIRONMENT, ListFilters()).result == []
    assert deleted.restore(ENVIRONMENT, account) is None


def test_account_without_its_integration_does_not_come_back(
    engine: Engine, accounts: AccountStore, deleted: DeletedAccounts
) -> None:
    account = new_account(engine, accounts)
    accounts.delete(ENVIRONMENT, account, erase_after_seconds=3600)
    with engine.begin() as connection:
        connection.execute(text("delete from integration"))

    assert deleted.restore(ENVIRONMENT, account) is False
    assert deleted.restore(EnvironmentId(new_id()), account) is None


def test_account_of_which_only_records_are_left_is_erased_and_does_not_come_back(
    engine: Engine, erasures: ErasureStore, deleted: DeletedAccounts
) -> None:
    """As 0015 takes down those that were deleted before it."""
    account = new_id()
    run = fill(engine, account)
    put(engine, "erasure", environment_id=ENVIRONMENT, integrated_account_id=account, due_at=text("'infinity'"))

    assert deleted.restore(ENVIRONMENT, account) is None
    assert deleted.make_due(ENVIRONMENT, account)
    (erasure,) = erase_all(erasures)

    assert erasure.status is ErasureStatus.ERASED
    assert named_in(engine, account, run) == {"erasure", "audit_entry"}


def test_account_whose_erasure_has_begun_does_not_come_back(
    engine: Engine, accounts: AccountStore, erasures: ErasureStore, deleted: DeletedAccounts
) -> None:
    account = new_account(engine, accounts)
    accounts.delete(ENVIRONMENT, account, erase_after_seconds=3600)
    assert deleted.make_due(ENVIRONMENT, account)
    (erasure,) = erasures.find_due(skipped=[], limit=10)
    erasures.erase_some(erasure, limit=1)

    assert deleted.restore(ENVIRONMENT, account) is None
    assert not deleted.make_due(EnvironmentId(new_id()), account)


def test_reason_why_it_does_not_go_on_is_kept_until_it_does(
    engine: Engine, accounts: AccountStore, erasures: ErasureStore
) -> None:
    account = new_account(engine, accounts)
    accounts.delete(ENVIRONMENT, account, erase_after_seconds=0)
    (erasure,) = erasures.find_due(skipped=[], limit=10)

    erasures.record_error(erasure.id, "it broke")

    noted = erasures.get(ENVIRONMENT, erasure.id)
    assert noted is not None
    assert noted.last_error == "it broke"
    assert erasures.find_due(skipped=[erasure.id], limit=10) == []
    assert erase_all(erasures)[0].last_error is None


def test_records_of_one_resource_go_but_for_those_that_came_since(
    engine: Engine, accounts: AccountStore, erasures: ErasureStore
) -> None:
    account, base = new_account(engine, accounts), {"data": {}, "content_hash": b"", "sync_job_run_id": new_id()}
    for number, resource in enumerate(("users", "users", "teams")):
        row = {"integrated_account_id": account, "resource": resource, "remote_id": str(number), "sequence": number}
        put(engine, "record", **row, **base)
    asked = erasures.create_of_resource(ENVIRONMENT, account, "users")
    new = {"integrated_account_id": account, "resource": "users", "remote_id": "new", "sequence": 9}
    put(engine, "record", updated_at=text("now() + interval '1 second'"), **new, **base)

    (erasure,) = erase_all(erasures, limit=1)

    assert (erasure.id, erasure.erased, erasure.status) == (asked.id, {"record": 2}, ErasureStatus.ERASED)
    with engine.connect() as connection:
        left = connection.execute(select(tables.record.c.remote_id).order_by("remote_id")).scalars().all()
        trimmed = connection.execute(select(tables.account_log.c.trimmed_through)).scalar_one()
    assert (left, trimmed) == (["2", "new"], 1)
    assert accounts.get(ENVIRONMENT, account) is not None


def test_deleted_accounts_hold_all_that_accounts_do() -> None:
    kept = {column.name: str(column.type) for column in tables.deleted_account.c}

    assert kept == {column.name: str(column.type) for column in tables.integrated_account.c}
