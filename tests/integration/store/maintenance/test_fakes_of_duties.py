"""Numbers, keys, seals and bulk actions: stores, and what stands for them in unit tests, do what their ports say."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, insert, text

from app.engine.errors import UnreadableSecretError
from app.engine.ids import new_id
from app.engine.objects.bulk_actions import BulkKind, BulkOutcome, BulkStatus, BulkTarget
from app.engine.objects.environments import EnvironmentId
from app.services.calls.ports import Seal, SealPurpose
from app.services.dashboard.ports import BulkStore
from app.services.dashboard.run_filters import read_filters
from app.services.maintenance.ports import DataKey, Keys, Numbers
from app.store import tables
from app.store.dashboard.bulk_actions import BulkActionStore
from app.store.db.database import connect
from app.store.records.numbers import RecordNumbers
from app.store.secrets.encryption import Cipher, TokenSeal
from app.store.secrets.encryption_keys import KeyStore
from tests.integration.store.dashboard.run_rows import put_run
from tests.unit.services.accounts.test_account_tokens import LetterSeal
from tests.unit.services.dashboard.test_bulk_duty import FakeBulkStore
from tests.unit.services.maintenance.test_key_rotation import FakeKeys
from tests.unit.services.maintenance.test_numbering import FakeNumbers
from tests.unit.services.service_fakes import PlainSeal
from tests.unit.services.service_tables import ENVIRONMENT

FIRST, SECOND = sorted(new_id() for _ in range(2))


@pytest.fixture(params=["fake", "real"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine | None]:
    """Postgres; None where a fake stands for it."""
    if request.param == "fake":
        yield None
        return
    engine = connect(request.getfixturevalue("database_url"))
    yield engine
    engine.dispose()


@pytest.fixture
def numbers(engine: Engine | None) -> Numbers:
    """Two accounts, with three records and one that have no number."""
    if engine is None:
        return FakeNumbers({FIRST: 3, SECOND: 1})
    fixed = {"resource": "users", "data": {}, "content_hash": b"", "sync_job_run_id": new_id(), "sequence": 0}
    rows = [
        {**fixed, "integrated_account_id": account, "remote_id": str(number)}
        for account, count in ((FIRST, 3), (SECOND, 1))
        for number in range(count)
    ]
    with engine.begin() as connection:
        connection.execute(text("update online_migration set finished_at = null where name = 'record_numbers'"))
        connection.execute(insert(tables.record), rows)
    return RecordNumbers(engine)


def test_records_are_numbered_some_at_a_time(numbers: Numbers) -> None:
    assert [numbers.number_some(FIRST, limit=2) for _ in range(3)] == [2, 1, 0]

    place = numbers.place()

    assert place is not None
    assert place.account_id == FIRST


def test_accounts_with_records_are_found_one_after_the_other(numbers: Numbers) -> None:
    assert numbers.find_next_account(None) == FIRST
    assert numbers.find_next_account(FIRST) == SECOND
    assert numbers.find_next_account(SECOND) is None


def test_numbering_begins_anew_and_ends(numbers: Numbers) -> None:
    numbers.number_some(FIRST, limit=1)

    numbers.begin_anew()
    place = numbers.place()
    numbers.finish()

    assert place is not None
    assert (place.account_id, numbers.place()) == (None, None)


@pytest.fixture
def keys(engine: Engine | None) -> Keys:
    """A key that seals, and one that was retired an hour ago."""
    old, current = "a", "b"
    if engine is None:
        now = datetime.now(UTC)
        kept = {id: DataKey(id=id, created_at=now, retired_at=now if id == old else None) for id in (old, current)}
        return FakeKeys(keys=kept, wraps={old: b"old", current: b"current"})
    store = KeyStore(engine)
    store.make_current(old, b"old", instead_of=None)
    store.make_current(current, b"current", instead_of=old)
    with engine.begin() as connection:
        connection.execute(text("update encryption_key set retired_at = now() - interval '1 hour' where id = 'a'"))
    return store


def test_keys_are_listed_wrapped_anew_and_removed_once_they_are_retired(keys: Keys) -> None:
    current = keys.read_current()
    assert current is not None
    assert current[0] == "b"
    assert {key.id: key.retired_at is None for key in keys.list()} == {"a": False, "b": True}

    keys.rewrap("b", b"anew")

    assert keys.list_wrapped() == {"a": b"old", "b": b"anew"}
    assert [keys.remove("a", retired_for_seconds=60) for _ in range(2)] == [True, False]
    assert [key.id for key in keys.list()] == ["b"]


@dataclass
class Action:
    """A bulk action that is being counted, for one run."""

    store: BulkStore
    environment_id: EnvironmentId
    id: str


@pytest.fixture
def action(engine: Engine | None) -> Action:
    if engine is None:
        return Action(FakeBulkStore(BulkKind.STOP, ["run"], status=BulkStatus.COUNTING), ENVIRONMENT, "b")
    mine = EnvironmentId(new_id())
    with engine.begin() as connection:
        connection.execute(insert(tables.environment).values(id=mine, name="mine"))
    put_run(engine, mine, status="running")
    store = BulkActionStore(engine)
    return Action(store, mine, store.create(mine, BulkKind.STOP, read_filters({})))


def test_action_is_counted_confirmed_done_and_over(action: Action) -> None:
    store = action.store
    assert store.confirm(action.environment_id, action.id) is False
    while store.count_some(action.id, limit=10):
        pass
    assert store.confirm(action.environment_id, action.id) is True
    (target,) = store.find_pending(action.id, limit=10)
    assert [one.id for one in store.find_open(skipped=[], limit=10)] == [action.id]
    assert store.find_open(skipped=[action.id], limit=10) == []

    store.record(action.id, [BulkTarget(run_id=target.run_id, resumes=0, outcome=BulkOutcome.DONE)])

    found = store.get(action.environment_id, action.id)
    assert found is not None
    assert (found.status, store.find_pending(action.id, limit=10)) == (BulkStatus.FINISHED, [])
    tried = store.list_tried(action.environment_id, action.id, BulkOutcome.DONE, limit=10)
    assert [one.run_id for one in tried] == [target.run_id]
    assert store.cancel(action.environment_id, action.id) is False
    assert store.find_open(skipped=[], limit=10) == []


def test_action_is_cancelled_once_and_seen_in_its_environment_alone(action: Action) -> None:
    elsewhere = EnvironmentId(new_id())

    assert action.store.get(elsewhere, action.id) is None
    assert action.store.cancel(action.environment_id, action.id) is True
    assert action.store.cancel(action.environment_id, action.id) is False

    found = action.store.get(action.environment_id, action.id)
    assert found is not None
    assert found.status is BulkStatus.CANCELLED


def _seal(engine: Engine) -> Seal:
    return TokenSeal(Cipher(Fernet.generate_key().decode(), KeyStore(engine)))


@pytest.mark.parametrize("make", [PlainSeal, LetterSeal, _seal])
def test_sealed_value_opens_for_its_purpose_alone(make: Callable[..., Seal], request: pytest.FixtureRequest) -> None:
    seal = make(connect(request.getfixturevalue("database_url"))) if make is _seal else make()

    sealed = seal.seal({"a": [1, None]}, SealPurpose.NEXT_CURSOR)

    assert seal.open(sealed, SealPurpose.NEXT_CURSOR) == {"a": [1, None]}
    with pytest.raises(UnreadableSecretError):
        seal.open(sealed, SealPurpose.ACCOUNT_TOKEN)
