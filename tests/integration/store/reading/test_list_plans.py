"""Lists are answered by their indexes, at any depth: read off Postgres' own plans."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.services.reading.ports import RecordFilters
from app.store.db.database import connect
from app.store.reading.audit import AuditReader
from app.store.reading.records import RecordReader
from app.store.runs.runs import RunStore
from tests.support.servers import PostgresServer

ENVIRONMENT = EnvironmentId("0190f0f0-0000-7000-8000-000000000001")
JOB = "0190f0f0-0000-7000-8000-000000000002"
ACCOUNT = "0190f0f0-0000-7000-8000-000000000003"
_RUNS = 20_000
_PARAMETER = re.compile(":(environment|job|account)")

_FILL = (
    "insert into environment (id, name) values (:environment, 'e')",
    """insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args, args_hash,
                                 resources, sync_job, queue, created_at)
       select gen_random_uuid(), :environment, case when n % 100 = 0 then :job else gen_random_uuid() end,
              case when n % 100 = 1 then :account else gen_random_uuid() end,
              case when n % 1000 = 0 then 'failed' else 'completed' end, '{}', '', '[]', '{}', 'q',
              now() - n * interval '1 minute'
         from generate_series(1, :runs) n""",
    """insert into record (integrated_account_id, resource, remote_id, data, content_hash, sync_job_run_id, sequence)
       select case when n % 2 = 0 then :account else :job end, 'users', n::text, '{}', '', :job, n
         from generate_series(1, :runs) n""",
    """insert into run_start (id, environment_id, actor_kind, actor_id, created_at)
       select id, environment_id, case when status = 'failed' then 'ui' else 'token' end,
              case when status = 'failed' then :account else :job end, created_at from sync_job_run""",
    """insert into audit_entry (id, environment_id, action, object_type, object_id, actor_kind, actor_id,
                                integrated_account_id, created_at)
       select gen_random_uuid(), :environment, kind || case when n % 1000 = 1 then '.deleted' else '.updated' end, kind,
              n % 5000, case when n % 1000 = 2 then 'operator' else 'token' end,
              case when n % 1000 = 3 then :account else :job end,
              case when n % 1000 = 4 then :account else :job end, now() - n * interval '1 minute'
         from (select n, case when n % 1000 = 0 then 'webhook' else 'tenant' end as kind
                 from generate_series(1, :runs) n) of_kind""",
)


@pytest.fixture(scope="module")
def engine(postgres_server: PostgresServer) -> Iterator[Engine]:
    with postgres_server.fresh_database() as url:
        made = connect(url)
        with made.begin() as connection:
            given = {"environment": ENVIRONMENT, "job": JOB, "account": ACCOUNT, "runs": _RUNS}
            for statement in _FILL:
                connection.execute(
                    text(
                        statement.replace(":job", "cast(:job as uuid)")
                        .replace(":account", "cast(:account as uuid)")
                        .replace(":environment", "cast(:environment as uuid)")
                    ),
                    given,
                )
            connection.execute(text("analyze"))
        yield made
        made.dispose()


@contextmanager
def plans(engine: Engine) -> Iterator[list[str]]:
    """Gather the plan of each statement that is executed within."""
    found: list[str] = []

    def explain(connection: Any, _: object, statement: str, parameters: Any, *rest: object) -> None:
        if statement.startswith("set "):
            return
        with connection.connection.cursor() as cursor:
            cursor.execute(f"explain {statement}", parameters)
            found.append("\n".join(row[0] for row in cursor.fetchall()))

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", explain)


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        (ListFilters(limit=5), "sync_job_run_page"),
        (ListFilters(limit=5, sort="created_at"), "sync_job_run_page"),
        (ListFilters(limit=5, equal={"sync_job_id": JOB}), "sync_job_run_by_job"),
        (ListFilters(limit=5, equal={"integrated_account_id": ACCOUNT}), "sync_job_run_by_account"),
        (ListFilters(limit=5, among=[("status", ["failed"])]), "sync_job_run_by_status"),
        (ListFilters(limit=5, among=[("status", ["failed", "stopped"])]), "sync_job_run_not_completed"),
    ],
    ids=["all", "oldest-first", "job", "account", "failed", "failed-or-stopped"],
)
def test_runs_are_listed_by_an_index_on_every_page(engine: Engine, filters: ListFilters, index: str) -> None:
    store = RunStore(engine)
    first = store.list(ENVIRONMENT, filters)

    with plans(engine) as found:
        store.list(ENVIRONMENT, filters)
        store.list(ENVIRONMENT, replace(filters, cursor=first.next_cursor))

    of_runs = [plan for plan in found if "sync_job_run" in plan and "run_resource" not in plan]
    assert len(of_runs) == 2
    for plan in of_runs:
        assert index in plan, plan
        assert "Seq Scan on sync_job_run" not in plan
        assert plan.splitlines()[0].startswith("Limit"), plan
        assert "Index Scan" in plan.splitlines()[1], plan


@pytest.mark.parametrize(
    ("equal", "indexes"),
    [
        ({}, {"audit_entry_page", "run_start_page"}),
        ({"actor_id": ACCOUNT}, {"audit_entry_by_actor", "run_start_by_actor"}),
        ({"actor_kind": "token"}, {"audit_entry_page", "run_start_page"}),
        ({"actor_kind": "operator"}, {"audit_entry_by_others", "run_start_by_others"}),
        ({"object_type": "webhook"}, {"audit_entry_by_type"}),
        ({"action": "tenant.deleted"}, {"audit_entry_by_action"}),
        ({"object_id": "7"}, {"audit_entry_by_object"}),
        ({"action": "sync_job_run.created"}, {"audit_entry_by_action", "run_start_page"}),
        ({"integrated_account_id": ACCOUNT}, {"audit_entry_by_account", "sync_job_run_by_account"}),
    ],
    ids=lambda value: "-".join(value) or "all" if isinstance(value, dict) else "",
)
def test_changes_and_starts_of_runs_are_listed_by_indexes(
    engine: Engine, equal: dict[str, object], indexes: set[str]
) -> None:
    filters = ListFilters(limit=5, equal=equal)
    reader = AuditReader(engine)
    first = reader.list(ENVIRONMENT, filters)

    with plans(engine) as found:
        reader.list(ENVIRONMENT, replace(filters, cursor=first.next_cursor))

    used = set(re.findall(r"(?:audit_entry|run_start|sync_job_run)_(?:page|by)\w*", "\n".join(found)))
    assert indexes <= used, found
    assert not re.search(r"Seq Scan on (audit_entry|run_start|sync_job_run)", "\n".join(found)), found
    assert len(first.result) >= 4


def test_starts_of_runs_are_merged_into_the_audit_log_in_its_order(engine: Engine) -> None:
    reader, found, cursor = AuditReader(engine), [], None
    for _ in range(4):
        page = reader.list(ENVIRONMENT, ListFilters(limit=3, cursor=cursor, sort="created_at"))
        found += page.result
        cursor = page.next_cursor

    whole = reader.list(ENVIRONMENT, ListFilters(limit=12, sort="created_at")).result
    assert found == whole
    assert {entry.action for entry in whole} >= {"sync_job_run.created", "tenant.updated"}
    assert whole == sorted(whole, key=lambda entry: (entry.created_at, entry.id))
    backwards = reader.list(ENVIRONMENT, ListFilters(limit=2 * _RUNS)).result
    assert (len(backwards), backwards[-12:]) == (2 * _RUNS, whole[::-1])


@pytest.mark.parametrize("resource", [None, "users"], ids=["account", "resource"])
def test_records_are_listed_by_their_key_on_every_page(engine: Engine, resource: str | None) -> None:
    reader = RecordReader(engine)
    filters = RecordFilters(integrated_account_id=ACCOUNT, resource=resource, limit=5)
    first = reader.list(filters)

    with plans(engine) as found:
        second = reader.list(replace(filters, cursor=first.next_cursor))

    (plan,) = found
    assert "record_pkey" in plan
    assert "remote_id" in plan.partition("Index Cond: ")[2], plan
    assert min(record.id for record in second.result) > max(record.id for record in first.result)
