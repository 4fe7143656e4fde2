"""What the benchmark fills tables with is what the schema takes."""

import psycopg

from app.engine.ids import new_id
from bench.filling import fill_account, fill_expired_runs, fill_runs
from tests.support.servers import PostgresServer


def test_filled_tables_hold_what_was_asked_for(postgres_server: PostgresServer) -> None:
    account_id, environment_id = new_id(), new_id()

    with postgres_server.fresh_database() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("insert into environment (id, name) values (%s, 'filled')", [environment_id])
        fill_runs(url, environment_id, job_ids=[new_id()], account_ids=[account_id], runs=3)
        fill_expired_runs(url, 2)
        fill_account(url, account_id, 10, parts=2)
        counts = connection.execute("""
            select (select count(*) from sync_job_run), (select count(*) from run_resource),
                   (select count(*) from unit), (select count(*) from record)
        """).fetchone()

    assert counts == (5, 5, 20, 10)
