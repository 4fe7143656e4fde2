"""The log of runs: several streams, merged; each is read from rows that are there for another purpose, by indexes.

No two streams have the same events, but that of deliveries shows which of the others' were sent.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, case, func, select

from app.engine.ids import derive_id
from app.engine.json_types import JsonObject
from app.engine.logs.entries import RUN_EVENTS, STOPPED, LoggedRun, RunEntry
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.engine.status import RunStatus
from app.engine.webhooks import events
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db.database import Row
from app.store.reading import places
from app.store.reading.places import Place, Question, read_log
from app.store.reading.webhook_log import of_webhooks

_RUN, _ERROR, _DELIVERY, _RESOURCE = tables.sync_job_run.c, tables.run_error.c, tables.delivery.c, tables.run_resource.c

_ENDED: Final = {
    events.COMPLETED: RunStatus.COMPLETED,
    events.FAILED: RunStatus.FAILED,
    STOPPED: RunStatus.STOPPED,
}
_INTEGRATION: Final = _RUN.sync_job["integration_name"].astext
_OF_RUN: Final = (
    _RUN.id.label("run_id"),
    _RUN.environment_id,
    _RUN.sync_job_id,
    _RUN.integrated_account_id,
    _INTEGRATION.label("integration"),
)
_RUN_FILTERS: Final[dict[str, ColumnElement[Any]]] = {
    "sync_job_run_id": _RUN.id,
    "sync_job_id": _RUN.sync_job_id,
    "integrated_account_id": _RUN.integrated_account_id,
}
_BY_RUNS: Final = ("sync_job_run_id", "sync_job_id", "integrated_account_id")
"""Filters that lead to few runs by an index."""
_TELLING: Final = (events.RECORD_ERROR, events.RATE_LIMITED, events.FAILED)
"""Events whose body holds what no column does; it is small."""

PlacedEntry = tuple[Place, RunEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One kind of rows, and the events that they hold."""

    events: frozenset[str]
    """Events."""
    select: Callable[[Question, Sequence[str]], Select[Any]]
    """Makes the statement, given the events that are wanted of it."""
    entries: Callable[[Row], Iterator[PlacedEntry]]


def _runs(question: Question) -> Select[Any]:
    """Select runs; their webhook is what a filter by webhook means."""
    statement = select(*_OF_RUN, _RUN.webhook_id).where(_RUN.environment_id == question.environment_id)
    return question.narrow(_of_integration(question, statement), {**_RUN_FILTERS, "webhook_id": _RUN.webhook_id})


def _of_integration(question: Question, statement: Select[Any]) -> Select[Any]:
    """Narrow a statement about runs to the accounts of integrations: of those Postgres knows how many there are."""
    names = question.among("integration")
    if names is None:
        return statement
    account, integration = tables.integrated_account.c, tables.integration.c
    accounts = select(account.id).join(tables.integration, integration.id == account.integration_id)
    mine = accounts.where(integration.environment_id == question.environment_id, integration.name.in_(names))
    return statement.where(_RUN.integrated_account_id.in_(mine))


def _beginnings(question: Question, wanted: Sequence[str]) -> Select[Any]:
    statement = _runs(question).add_columns(_RUN.created_at, _RUN.started_at)
    if events.CREATED not in wanted:
        statement = statement.where(_RUN.started_at.is_not(None))
    return question.page(statement, _RUN.created_at, _RUN.id)


def _beginning_entries(row: Row) -> Iterator[PlacedEntry]:
    yield _entry_of(row, events.CREATED, row["created_at"])
    if row["started_at"] is not None:
        yield _entry_of(row, events.STARTED, row["created_at"], number=1, timestamp=row["started_at"])


def _ends(question: Question, wanted: Sequence[str]) -> Select[Any]:
    statuses = [status for event, status in _ENDED.items() if event in wanted]
    statement = _runs(question).add_columns(_RUN.finished_at, _RUN.status, _RUN.error)
    statement = statement.where(_RUN.finished_at.is_not(None), _RUN.status.in_(statuses))
    return question.page(statement, _RUN.finished_at, _RUN.id)


def _end_entries(row: Row) -> Iterator[PlacedEntry]:
    yield _entry_of(row, f"sync_job_run:{row['status']}", row["finished_at"], error=row["error"])


def _waits(question: Question, wanted: Sequence[str]) -> Select[Any]:
    seconds = func.extract("epoch", _RUN.retry_after - _RUN.updated_at)
    statement = _runs(question).add_columns(_RUN.updated_at, func.ceil(seconds).label("seconds"))
    return question.page(statement.where(_RUN.status == RunStatus.RATE_LIMITED), _RUN.updated_at, _RUN.id)


def _wait_entries(row: Row) -> Iterator[PlacedEntry]:
    seconds = None if row["seconds"] is None else max(0, int(row["seconds"]))
    yield _entry_of(row, events.RATE_LIMITED, row["updated_at"], retry_after=seconds)


def _errors(question: Question, wanted: Sequence[str]) -> Select[Any]:
    statement = (
        _runs(question)
        .add_columns(
            *(_ERROR.id, _ERROR.created_at, _ERROR.code, _ERROR.message, _ERROR.details),
            func.coalesce(_RESOURCE.resource, _ERROR.resource).label("resource"),
            func.coalesce(_RESOURCE.method, _ERROR.method).label("method"),
        )
        .join(tables.run_error, _ERROR.run_id == _RUN.id)
        .outerjoin(tables.run_resource, and_(_RESOURCE.run_id == _RUN.id, _RESOURCE.name == _ERROR.resource))
    )
    run_ids = question.among("sync_job_run_id")
    if run_ids is None:
        statement = statement.where(_ERROR.environment_id == question.environment_id)
    else:
        statement = statement.where(_ERROR.run_id.in_(run_ids))
    return question.page(statement, _ERROR.created_at, _ERROR.id)


def _error_entries(row: Row) -> Iterator[PlacedEntry]:
    error = {"code": row["code"], "message": row["message"], **row["details"]}
    facts = {"resource": row["resource"], "method": row["method"]}
    yield _entry_of(row, events.RECORD_ERROR, row["created_at"], row_id=row["id"], error=error, **facts)


def _deliveries(question: Question, wanted: Sequence[str]) -> Select[Any]:
    """Look through the deliveries of some runs, or through those of all webhooks."""
    columns = (_DELIVERY.id, _DELIVERY.created_at, _DELIVERY.event, _DELIVERY.records, _DELIVERY.status)
    attempts = (_DELIVERY.attempts, _DELIVERY.last_status_code, _DELIVERY.last_error)
    body = case((_DELIVERY.event.in_(_TELLING), _DELIVERY.body)).label("body")
    statement: Select[Any] = (
        select(*_OF_RUN, *columns, *attempts, body, _DELIVERY.webhook_id, _RESOURCE.resource, _RESOURCE.method)
        .select_from(tables.delivery)
        .join(tables.sync_job_run, _RUN.id == _DELIVERY.run_id)
        .outerjoin(tables.run_resource, _RESOURCE.id == _DELIVERY.resource_id)
        .where(_DELIVERY.event.in_(wanted), _RUN.environment_id == question.environment_id)
    )
    statement = question.narrow(_of_integration(question, statement), _RUN_FILTERS)
    if any(question.among(name) is not None for name in _BY_RUNS):
        statement = question.narrow(statement, {"webhook_id": _DELIVERY.webhook_id})
        return question.page(statement, _DELIVERY.created_at, _DELIVERY.id)
    return of_webhooks(question, lambda webhook_id: statement.where(_DELIVERY.webhook_id == webhook_id))


def _delivery_entries(row: Row) -> Iterator[PlacedEntry]:
    payload = _payload(row["body"])
    yield _entry_of(
        row,
        row["event"],
        row["created_at"],
        row_id=row["id"],
        resource=row["resource"] or payload.get("resource"),
        method=row["method"] or payload.get("method"),
        num_records=row["records"] if row["event"] == events.RECORD else None,
        retry_after=payload.get("retryAfter"),
        retry_count=max(0, row["attempts"] - 1),
        delivery_status=row["status"],
        webhook_status=row["last_status_code"],
        last_error=row["last_error"],
        error=payload.get("error") if row["event"] == events.FAILED else None,
    )


def _payload(body: bytes | None) -> JsonObject:
    """Read the payload of an event, if retention has left it."""
    payload: JsonObject = orjson.loads(bytes(body))["payload"] if body else {}
    return payload


def _entry_of(  # one parameter per fact
    row: Row, event: str, at: Any, *, row_id: Any = None, number: int = 0, timestamp: Any = None, **facts: Any
) -> PlacedEntry:
    run = LoggedRun(
        environment_id=EnvironmentId(str(row["environment_id"])),
        sync_job_run_id=str(row["run_id"]),
        sync_job_id=str(row["sync_job_id"]),
        integrated_account_id=str(row["integrated_account_id"]),
        integration=row["integration"] or None,
    )
    entry = RunEntry(
        id=str(row_id) if row_id else derive_id(run.sync_job_run_id, event),
        run=run,
        webhook_id=str(row["webhook_id"]) if row["webhook_id"] else None,
        sync_job_run_event=event,
        timestamp=timestamp or at,
        created_at=at,
        **facts,
    )
    return Place(at, str(row_id or row["run_id"]), number), entry


STREAMS: Final = (
    Stream(events=frozenset({events.CREATED, events.STARTED}), select=_beginnings, entries=_beginning_entries),
    Stream(events=frozenset(_ENDED), select=_ends, entries=_end_entries),
    Stream(events=frozenset({events.RATE_LIMITED}), select=_waits, entries=_wait_entries),
    Stream(events=frozenset({events.RECORD_ERROR}), select=_errors, entries=_error_entries),
    Stream(events=frozenset(events.OF_RUNS), select=_deliveries, entries=_delivery_entries),
)


@retry_conflicts
class RunLogReader:
    """What happened in the runs of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[RunEntry]:
        """Read a page of what happened in an environment's runs."""
        after = places.decode(filters.cursor) if filters.cursor else None
        question = Question(environment_id=environment_id, filters=filters, after=after)
        with read_log(self._engine) as connection:
            found = [placed for stream in STREAMS for placed in _stream(connection, stream, question)]
        found.sort(key=_place, reverse=question.descends)
        shown = found[: filters.limit]
        return Page(
            result=[entry for _, entry in shown],
            next_cursor=places.encode(_place(shown[-1])) if len(found) > len(shown) else None,
            limit=filters.limit,
        )


def _stream(connection: Connection, stream: Stream, question: Question) -> Iterator[PlacedEntry]:
    """Read the wanted events of a stream, on from the last place."""
    wanted = question.among("sync_job_run_event")
    selected = [event for event in RUN_EVENTS if event in stream.events and (wanted is None or event in wanted)]
    if not selected:
        return
    for row in connection.execute(stream.select(question, selected)).mappings():
        for place, entry in stream.entries(row):
            if entry.sync_job_run_event in selected and question.is_unread(place):
                yield place, entry


def _place(placed: PlacedEntry) -> Any:
    return placed[0]
