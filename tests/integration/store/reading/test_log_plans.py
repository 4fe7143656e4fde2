"""The log is answered by indexes, on every page, however many runs, errors and deliveries other environments have."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.store.db.database import connect
from app.store.maintenance.retention import RetentionStore
from app.store.reading.direct_calls import DirectCallStore
from app.store.reading.run_log_streams import RunLogReader
from app.store.reading.webhook_log import WebhookLogReader
from tests.integration.store.reading.test_list_plans import plans
from tests.support.servers import PostgresServer

ENVIRONMENT = EnvironmentId("0190f0f0-0000-7000-8000-000000000001")
NEIGHBOUR = "0190f0f0-0000-7000-8000-000000000002"
JOB = "0190f0f0-0000-7000-8000-000000000003"
ACCOUNT = "0190f0f0-0000-7000-8000-000000000004"
RUN = "0190f0f0-0000-7000-8000-000000000005"
WEBHOOK = "0190f0f0-0000-7000-8000-000000000006"
ROWS = 20_000
RECENT = {("created_at", "gte"): datetime.now(UTC) - timedelta(days=31)}
_LARGE = ("sync_job_run", "run_error", "delivery", "direct_call")

# Every other run is a neighbour's; each has an error and a delivery.
_FILL = (
    "insert into environment (id, name) values (:environment, 'e'), (:neighbour, 'n')",
    """insert into webhook (id, environment_id, target_url, secret_encrypted)
       select case when n = 1 then cast(:webhook as uuid) else gen_random_uuid() end,
              case when n % 2 = 0 then cast(:neighbour as uuid) else cast(:environment as uuid) end, 'x', ''
         from generate_series(1, 20) n""",
    """insert into integration (id, environment_id, name, config)
       select gen_random_uuid(), :environment, name, '{}' from unnest(array['acme', 'other']) name""",
    """insert into integrated_account (id, environment_id, integration_id, tenant_id, authentication_method,
                                       context_encrypted)
       select gen_random_uuid(), i.environment_id, i.id, n::text, 'api_key', ''
         from generate_series(1, 500) n
         join integration i on i.name = case when n % 2 = 0 then 'acme' else 'other' end""",
    """insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, webhook_id, status, args,
                                 args_hash, resources, sync_job, queue, created_at, started_at, finished_at)
       select case when n = 1 then cast(:run as uuid) else gen_random_uuid() end,
              case when n % 2 = 0 then cast(:neighbour as uuid) else cast(:environment as uuid) end,
              case when n % 200 = 1 then cast(:job as uuid) else gen_random_uuid() end,
              case when n % 200 = 3 then cast(:account as uuid)
                   else (select id from integrated_account where tenant_id = (1 + n % 500)::text) end,
              case when n % 10 = 5 then cast(:webhook as uuid) end,
              case when n % 100 = 1 then 'failed' else 'completed' end, '{}', '', '[]',
              '{}', 'q',
              now() - n * interval '1 minute', now() - n * interval '1 minute', now() - n * interval '1 minute'
         from generate_series(1, :rows) n""",
    """insert into run_error (id, run_id, environment_id, code, message, created_at)
       select gen_random_uuid(), id, environment_id, 'x', 'x', created_at from sync_job_run""",
    """insert into delivery (id, run_id, webhook_id, event, body, status, created_at)
       select gen_random_uuid(), r.id, w.id, 'sync_job_run:record', '', 'delivered', r.created_at
         from (select *, row_number() over (order by created_at) as n from sync_job_run) r
         join (select *, row_number() over (partition by environment_id order by id) as n from webhook) w
              on w.environment_id = r.environment_id and w.n = 1 + r.n % 10""",
    """insert into direct_call (id, environment_id, api, resource, method, response_status, duration_ms, request_id,
                                created_at)
       select gen_random_uuid(), environment_id, 'proxy', 'users', 'list', 200, 1, gen_random_uuid(), created_at
         from sync_job_run""",
)


@pytest.fixture(scope="module")
def engine(postgres_server: PostgresServer) -> Iterator[Engine]:
    ids = {"environment": ENVIRONMENT, "neighbour": NEIGHBOUR, "job": JOB, "account": ACCOUNT, "run": RUN}
    with postgres_server.fresh_database() as url:
        made = connect(url)
        with made.begin() as connection:
            for statement in _FILL:
                connection.execute(text(statement), {**ids, "webhook": WEBHOOK, "rows": ROWS})
            connection.execute(text("analyze"))
        yield made
        made.dispose()


def filters(**equal: object) -> ListFilters:
    return ListFilters(equal=equal, times=RECENT, limit=5)


def assert_by_indexes(found: list[str], *, of: set[str]) -> None:
    """Claim that statements go by indexes, that these are among them, and that no large table is read through."""
    used = {name for plan in found for name in re.findall(r"(?:using|Bitmap Index Scan on) (\w+)", plan)}
    read_through = [name for plan in found for name in _LARGE if re.search(rf"Seq Scan on {name}\b", plan)]
    assert (read_through, of - used) == ([], set()), "\n\n".join(found)


@pytest.mark.parametrize(
    ("asked", "indexes"),
    [
        ({}, {"sync_job_run_page", "sync_job_run_ended", "run_error_log", "delivery_by_webhook"}),
        ({"sync_job_run_id": RUN}, {"sync_job_run_pkey", "run_error_page", "delivery_by_run"}),
        ({"sync_job_id": JOB}, {"sync_job_run_by_job", "delivery_by_run"}),
        ({"integrated_account_id": ACCOUNT}, {"sync_job_run_by_account", "delivery_by_run"}),
        ({"webhook_id": WEBHOOK}, {"delivery_by_webhook"}),
        ({"integration": "acme"}, {"sync_job_run_page", "sync_job_run_ended", "run_error_log", "delivery_by_webhook"}),
        ({"sync_job_run_event": "sync_job_run:completed"}, {"sync_job_run_ended", "delivery_by_webhook"}),
        ({"sync_job_run_event": "sync_job_run:rate_limited"}, {"sync_job_run_live"}),
    ],
    ids=["all", "run", "job", "account", "webhook", "integration", "completed", "rate-limited"],
)
@pytest.mark.parametrize("sort", ["-created_at", "created_at"])
def test_log_of_runs_is_read_by_indexes_on_every_page(
    engine: Engine, asked: dict[str, object], indexes: set[str], sort: str
) -> None:
    reader, wanted = RunLogReader(engine), replace(filters(**asked), sort=sort)

    with plans(engine) as found:
        first = reader.read(ENVIRONMENT, wanted)
        if first.next_cursor:
            reader.read(ENVIRONMENT, replace(wanted, cursor=first.next_cursor))

    assert_by_indexes(found, of=indexes)


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({}, "delivery_by_webhook"),
        ({"webhook_id": WEBHOOK}, "delivery_by_webhook"),
        ({"event": "sync_job_run:record"}, "delivery_by_webhook"),
        ({"sync_job_run_id": RUN}, "delivery_by_run"),
    ],
    ids=["all", "webhook", "event", "run"],
)
def test_log_of_webhooks_is_read_by_an_index_on_every_page(
    engine: Engine, asked: dict[str, object], index: str
) -> None:
    reader, wanted = WebhookLogReader(engine), filters(**asked)

    with plans(engine) as found:
        first = reader.read(ENVIRONMENT, wanted)
        if first.next_cursor:
            reader.read(ENVIRONMENT, replace(wanted, cursor=first.next_cursor))

    assert_by_indexes(found, of={index})


def test_log_of_direct_calls_is_read_by_an_index_on_every_page(engine: Engine) -> None:
    store = DirectCallStore(engine)

    with plans(engine) as found:
        first = store.list(ENVIRONMENT, filters())
        store.list(ENVIRONMENT, replace(filters(), cursor=first.next_cursor))

    assert_by_indexes(found, of=set())


def test_runs_that_expired_are_found_by_an_index(engine: Engine) -> None:
    with plans(engine) as found:
        expired = RetentionStore(engine).find_expired_runs(seconds=86400.0, after=None, limit=5)

    assert len(expired) == 5
    assert_by_indexes(found, of={"sync_job_run_ended"})
