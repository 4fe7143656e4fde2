"""``/record``, ``/erasure``, ``/daemon`` and ``/audit-entry``: what is kept, is erased, works, and was changed."""

from http import HTTPStatus

from app.api.documents.operations import document_answers
from app.api.parsing.parsing import Body
from app.api.resources.resource import Resource
from app.api.resources.services import environment, services
from app.api.resources.views import Answer, read_filters, show_page, show_plain
from app.api.schemas import observed as schemas
from app.api.schemas.fields import page_of, take_times
from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.json_types import JsonObject
from app.engine.objects.daemons import Daemon
from app.engine.objects.environments import Role
from app.services.crud import require
from app.services.reading.ports import LogFilters, RecordFilters

records = Resource("record", description="What was persisted", changes=Role.ADMIN)
erasures = Resource("erasure", description="What is erased", changes=Role.ADMIN)
audit_entries = Resource("audit-entry", description="Who changed what", changes=Role.ADMIN)
daemons = Resource("daemon", description="Who does the work", changes=Role.ADMIN, place=lambda id: {"id": id})


@records.serves(
    "GET", query=schemas.RecordQuery, answer=schemas.RecordPage, documented=document_answers(HTTPStatus.NOT_FOUND)
)
def list_records(query: JsonObject) -> Answer:
    """List an account's records by resource and id, or its log after the number ``after_seq``."""
    if "after_seq" in query:
        return _changes(query)
    filters = RecordFilters(
        integrated_account_id=query["integrated_account_id"],
        resource=query.get("resource"),
        id=query.get("id"),
        sync_job_run_id=query.get("sync_job_run_id"),
        times=take_times(query, "synced_at", "updated_at", "created_at"),
        with_deleted=query["with_deleted"],
        limit=query["limit"],
        cursor=query.get("next_cursor"),
    )
    return show_page(services().reading.records.list(environment(), filters), show_plain)


@records.serves("POST", "/restore", body=schemas.Restoration, answer=schemas.Restored, role=Role.RUN)
def restore_records(body: Body) -> Answer:
    """Restore the records that a run has deleted; each is a change in the account's log."""
    fields = body.require_valid()
    restored = services().reading.records.restore(
        environment(),
        fields["integrated_account_id"],
        run_id=fields["sync_job_run_id"],
        resource=fields.get("resource"),
    )
    return {"restored": restored}


@records.serves(
    "DELETE",
    query=schemas.RecordErasure,
    answer=schemas.Erasure,
    status=202,
    documented=document_answers(HTTPStatus.NOT_FOUND),
)
def erase_records(query: JsonObject) -> Answer:
    """Erase an account's resource in the background; only runs that read all of it fetch it again."""
    return show_plain(
        services().reading.records.erase(environment(), query["integrated_account_id"], query["resource"])
    )


@erasures.serves("GET", query=schemas.ErasureQuery, answer=page_of(schemas.Erasure))
def list_erasures(query: JsonObject) -> Answer:
    """List what is to be erased and what was, newest first."""
    return show_page(
        services().reading.list_erasures(environment(), read_filters(query, times=("created_at", "due_at"))), show_plain
    )


@erasures.serves("GET", "/<id>", answer=schemas.Erasure)
def get_erasure(id: str) -> Answer:
    """Show an erasure."""
    return show_plain(require(services().reading.find_erasure(environment(), id), "erasure", id))


def _changes(query: JsonObject) -> Answer:
    cursor = query.get("next_cursor")
    filters = LogFilters(
        integrated_account_id=query["integrated_account_id"],
        after=_sequence_of(cursor) if cursor else query["after_seq"],
        resource=query.get("resource"),
        limit=query["limit"],
    )
    page = services().reading.records.read_log(environment(), filters)
    shown: JsonObject = {
        "result": [show_plain(record) for record in page.result],
        "next_cursor": None if page.next_sequence is None else str(page.next_sequence),
        "limit": page.limit,
    }
    return shown if page.gap_until is None else {**shown, "gap_until": page.gap_until}


def _sequence_of(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise InvalidInputError([Failure("next_cursor", "is not a cursor that this list gave")])
    return int(cursor)


@daemons.serves("GET", query=schemas.DaemonQuery, answer=page_of(schemas.Daemon))
def list_daemons(query: JsonObject) -> Answer:
    """List daemons, by id unless they are sorted otherwise."""
    return show_page(services().reading.daemons.list(read_filters(query)), _show_daemon)


@daemons.serves("GET", "/<id>", answer=schemas.Daemon)
def get_daemon(id: str) -> Answer:
    """Show a daemon."""
    if "\0" in id:
        raise NotFoundError("daemon", id.replace("\0", ""))
    return _show_daemon(services().reading.daemons.get(id))


def _show_daemon(daemon: Daemon) -> JsonObject:
    return {**show_plain(daemon), "environment_id": environment()}


@audit_entries.serves("GET", query=schemas.AuditQuery, answer=page_of(schemas.AuditEntry))
def list_audit_entries(query: JsonObject) -> Answer:
    """List changes of the environment's objects, newest first, with who made each and by which request."""
    return show_page(
        services().reading.audit.list(environment(), read_filters(query, times=("created_at",))), show_plain
    )


@audit_entries.serves("GET", "/<id>", answer=schemas.AuditEntry)
def get_audit_entry(id: str) -> Answer:
    """Show one change."""
    return show_plain(services().reading.audit.get(environment(), id))
