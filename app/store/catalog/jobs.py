"""Sync jobs and their templates in Postgres; runs that exist keep what they were created with."""

from functools import partial

from sqlalchemy import Engine

from app.engine.objects.jobs import JobTemplate, SyncJob
from app.store import tables
from app.store.db.database import Row
from app.store.db.owned_rows import OwnedStore, build_object


class JobStore(OwnedStore[SyncJob]):
    """The sync jobs of all environments."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, tables.sync_job, job_of)


class TemplateStore(OwnedStore[JobTemplate]):
    """The templates of all environments."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, tables.sync_job_template, partial(build_object, JobTemplate))


def job_of(row: Row) -> SyncJob:
    """Read a job's row."""
    return build_object(SyncJob, row)
