"""``/record`` and ``/daemon``: what was persisted, and who does the work."""

from app.api.resource import Resource
from app.api.schemas import observed as schemas
from app.api.schemas.fields import page_of, taken_times
from app.api.services import environment, services
from app.api.views import Answer, page_view, plain_view
from app.engine.errors import NotFoundError
from app.engine.json_types import JsonObject
from app.services.records import RecordFilters

records = Resource("record", description="What was persisted")
daemons = Resource("daemon", description="Who does the work")


@records.serves("GET", query=schemas.RecordQuery, answer=page_of(schemas.Record))
def list_records(query: JsonObject) -> Answer:
    """List an account's records, by resource and id."""
    filters = RecordFilters(
        integrated_account_id=query["integrated_account_id"],
        resource=query.get("resource"),
        sync_job_run_id=query.get("sync_job_run_id"),
        times=taken_times(query, "synced_at", "updated_at", "created_at"),
        limit=query["limit"],
        cursor=query.get("next_cursor"),
    )
    return page_view(services().records.list(environment(), filters), plain_view)


@daemons.serves("GET", query=schemas.DaemonQuery, answer=page_of(schemas.Daemon))
def list_daemons(query: JsonObject) -> Answer:
    """List daemons by id."""
    found = services().daemons.list(
        limit=query["limit"], cursor=query.get("next_cursor"), group_key=query.get("group_key")
    )
    return page_view(found, plain_view)


@daemons.serves("GET", "/<id>", answer=schemas.Daemon)
def get_daemon(id: str) -> Answer:
    """Show a daemon."""
    if "\0" in id:
        raise NotFoundError("daemon", id.replace("\0", ""))
    return plain_view(services().daemons.get(id))
