"""Runs as rows, for the tests of what reads them."""

from typing import Any

from sqlalchemy import Engine, insert

from app.engine.ids import new_id
from app.store import tables


def put_run(engine: Engine, environment_id: str, *, errors: int = 0, retried: int = 0, **values: Any) -> str:
    """Write a run with one resource."""
    ids = {"environment_id": environment_id, "sync_job_id": new_id(), "integrated_account_id": new_id()}
    shape = {"args": {}, "args_hash": b"", "resources": [], "sync_job": {}, "queue": "q"}
    run = {"id": new_id(), **ids, **shape, **values}
    resource = {"position": 0, "name": "users", "resource": "users", "method": "list", "persist": True}
    with engine.begin() as connection:
        connection.execute(insert(tables.sync_job_run).values(**run))
        counted = {"run_id": run["id"], "errors": errors, "retried": retried}
        connection.execute(insert(tables.run_resource).values(id=new_id(), **resource, **counted))
    return str(run["id"])
