"""How far a run is, read while its deliveries are counted: never half of one."""

import threading

from sqlalchemy import Connection, Engine, text

from app.engine.ids import new_id
from app.store.db.database import connect
from app.store.runs.moves import RunMoves

EVENTS = 150


def test_progress_is_seen_as_of_one_moment(database_url: str) -> None:
    """Else a delivery between two looks makes the books of a run seem wrong that is about to complete."""
    engine = connect(database_url)
    try:
        with engine.begin() as connection:
            run_id = _run_with_events(connection)
        delivering = threading.Thread(target=_deliver_all, args=[engine, run_id])
        delivering.start()
        pending = EVENTS
        while pending:
            with RunMoves(engine).lock(run_id) as locked:
                progress = locked.progress()
            pending = progress.pending
            assert progress.resources[0].counters.delivered + pending == EVENTS
        delivering.join()
    finally:
        engine.dispose()


def _run_with_events(connection: Connection) -> str:
    ids = {name: new_id() for name in ("environment", "run", "resource")}
    for statement in (
        "insert into environment (id, name) values (:environment, 'e')",
        """insert into sync_job_run (id, environment_id, sync_job_id, integrated_account_id, status, args, args_hash,
                                     resources, sync_job, queue, webhook_id)
           values (:run, :environment, :run, :run, 'running', '{}', '', '[]', '{}', 'q', :run)""",
        """insert into run_resource (id, run_id, position, name, resource, method, persist, queued)
           values (:resource, :run, 0, 'users', 'users', 'list', true, :events)""",
        """insert into delivery (id, run_id, resource_id, webhook_id, event, body, records)
           select gen_random_uuid(), :run, :resource, :run, 'sync_job_run:record', '', 1
             from generate_series(1, :events)""",
    ):
        connection.execute(text(statement), {**ids, "events": EVENTS})
    return ids["run"]


def _deliver_all(engine: Engine, run_id: str) -> None:
    for _ in range(EVENTS):
        with engine.begin() as connection:
            connection.execute(
                text("update run_resource set delivered = delivered + 1 where run_id = :id"), {"id": run_id}
            )
            connection.execute(
                text("""
                    update delivery set status = 'delivered' where id = (
                        select id from delivery where run_id = :id and status = 'pending' order by sequence limit 1)
                """),
                {"id": run_id},
            )
