"""The log of runs: several streams, merged."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine

from app.engine.logs.entries import RUN_EVENTS, RunEntry
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.services.runs.conflicts import retry_conflicts
from app.store.reading import places
from app.store.reading.places import Question, read_log
from app.store.reading.run_log_streams import STREAMS, PlacedEntry, Stream


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
            if entry.sync_job_run_event in selected and question.is_beyond(place):
                yield place, entry


def _place(placed: PlacedEntry) -> Any:
    return placed[0]
