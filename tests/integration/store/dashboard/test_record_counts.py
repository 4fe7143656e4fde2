"""How many records an account has: exact where that is few or nothing was written since, and else as of when."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from app.engine.ids import new_id
from app.engine.objects.environments import EnvironmentId
from app.services.dashboard.facts import HeldResource
from app.store.dashboard.account_facts import AccountFacts
from app.store.db.database import connect
from app.store.records.record_counts import RecordCounts

ENVIRONMENT = EnvironmentId(new_id())
FILL = """
    insert into record (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id, sequence,
                        deleted_at)
    select :id, case when n <= 5 then 'few' else 'many' end, n, '{}', '', :id, n, case when n % 10 = 0 then now() end
      from generate_series(1, 1505) n
"""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url, pool_size=2)
    yield engine
    engine.dispose()


def find_due(counts: RecordCounts, *, every_seconds: float = 300.0) -> list[str]:
    return [*counts.find_due(most_small=1000, every_seconds=every_seconds, skipped=[], limit=10)]


def test_count_is_of_now_until_something_is_written_and_then_says_when_it_was(engine: Engine) -> None:
    account, small = new_id(), new_id()
    log = "insert into account_log (integrated_account_id, last_sequence) values (:id, :last)"
    with engine.begin() as connection:
        connection.execute(text(FILL), {"id": account})
        connection.execute(text(log), [{"id": account, "last": 1505}, {"id": small, "last": 1000}])
    counts, shown = RecordCounts(engine), list[HeldResource]()

    def look() -> None:
        few, many = AccountFacts(engine).list_resources(ENVIRONMENT, account)
        assert (few.name, few.records, few.is_capped, few.counted_at) == ("few", 5, False, None)
        shown.append(many)

    look()
    due = [find_due(counts)]
    counts.count(account)
    look()
    due.append(find_due(counts, every_seconds=0.0))
    with engine.begin() as connection:
        connection.execute(
            text("update account_log set last_sequence = 1506 where integrated_account_id = :id"), {"id": account}
        )
    look()
    due.append(find_due(counts))
    with engine.begin() as connection:
        connection.execute(text("update record_count set counted_at = now() - interval '1 hour'"))
    due.append(find_due(counts))
    with engine.begin() as connection:
        connection.execute(
            text("delete from account_log where integrated_account_id = any(cast(:ids as uuid[]))"),
            {"ids": [account, small]},
        )
    find_due(counts)

    assert [(one.records, one.is_capped) for one in shown] == [(1000, True), (1350, False), (1350, False)]
    assert [one.counted_at is None for one in shown] == [True, True, False]
    assert due == [[account], [], [], [account]]
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from record_count")).scalar_one() == 0
