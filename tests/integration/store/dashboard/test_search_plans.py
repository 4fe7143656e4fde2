"""Whatever finds few runs is answered by an index, and never by a look at every run: read off Postgres' own plans."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from app.engine.objects.environments import EnvironmentId
from app.services.dashboard.run_filters import read_filters
from app.store.dashboard.overview import OverviewReader
from app.store.dashboard.run_search import RunSearch
from app.store.db.database import connect
from tests.integration.store.reading.test_list_plans import plans
from tests.support.servers import PostgresServer

ENVIRONMENT = EnvironmentId("0190f0f0-0000-7000-8000-000000000001")
JOB = "0190f0f0-0000-7000-8000-000000000002"
ACCOUNT = "0190f0f0-0000-7000-8000-000000000003"

_FILL = (
    f"insert into environment (id, name) values ('{ENVIRONMENT}', 'e')",
    f"insert into integration (id, environment_id, name, config) values ('{JOB}', '{ENVIRONMENT}', 'i', '{{}}')",
    f"""insert into integrated_account (id, environment_id, integration_id, tenant_id, authentication_method,
                                        context_encrypted)
        values ('{ACCOUNT}', '{ENVIRONMENT}', '{JOB}', 'rare', 'api_key', '')""",
    f"""insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args, args_hash,
                                  resources, sync_job, queue, created_at, finished_at, error,
                                  has_errors)
        select gen_random_uuid(), '{ENVIRONMENT}', case when n % 500 = 0 then '{JOB}' else gen_random_uuid() end,
               case when n % 500 = 1 then '{ACCOUNT}' else gen_random_uuid() end,
               case when n % 1000 = 0 then 'failed' else 'completed' end,
               jsonb_build_object('plan', case when n % 1000 = 2 then 'pro' else 'free' end, 'n', n),
               '', '[]', '{{}}', 'q', now() - n * interval '1 minute', now() - n * interval '1 minute',
               case when n % 1000 = 0 then '{{"code": "rare"}}'::jsonb end, n % 1000 in (0, 5)
          from generate_series(1, 30000) n""",
    """insert into run_resource (id, run_id, position, name, resource, method, persist, status, errors)
       select gen_random_uuid(), id, 0, 'users', 'users', 'list', true, status, (status = 'failed')::int
         from sync_job_run""",
    f"""insert into run_error (id, run_id, environment_id, code, message)
        select gen_random_uuid(), id, '{ENVIRONMENT}', 'rare', '' from sync_job_run where status = 'failed'""",
)


@pytest.fixture(scope="module")
def engine(postgres_server: PostgresServer) -> Iterator[Engine]:
    with postgres_server.fresh_database() as url:
        made = connect(url)
        with made.begin() as connection:
            for statement in _FILL:
                connection.exec_driver_sql(statement.replace("%", "%%"))
            connection.execute(text("analyze"))
        yield made
        made.dispose()


@pytest.mark.parametrize(
    "filters",
    [
        {"status": "failed"},
        {"status": ["failed", "stopped"]},
        {"has_errors": "true"},
        {"has_errors": "true", "status": "completed"},
        {"has_errors": "true", "job": JOB},
        {"job": JOB},
        {"job": JOB, "status": "failed"},
        {"account": ACCOUNT},
        {"tenant": "rare"},
        {"args": "plan=pro"},
        {"args": "n=77"},
        {"args": "plan=pro", "status": "failed"},
        {"error": "rare"},
        {"error": "none"},
        {"since": "2999-01-01"},
        {"finished_from": "2999-01-01"},
    ],
    ids=str,
)
def test_search_that_finds_few_reads_few(engine: Engine, filters: dict[str, object]) -> None:
    with plans(engine) as found:
        page = RunSearch(engine).search(ENVIRONMENT, read_filters(filters), limit=50)

    assert page.count < 100
    assert found
    assert [plan for plan in found if "Seq Scan on sync_job_run" in plan] == []


@pytest.mark.parametrize("name", ["count_outcomes", "find_last_end", "list_paces", "read_troubles"])
def test_overview_reads_what_is_new_and_no_more(engine: Engine, name: str) -> None:
    with plans(engine) as found:
        getattr(OverviewReader(engine), name)(ENVIRONMENT)

    assert found
    assert [plan for plan in found if "Seq Scan on sync_job_run" in plan] == []
