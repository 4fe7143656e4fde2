"""Messages that were promised to the broker: written with the run, removed once published."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import Connection, Engine, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from app.engine.errors import StoreUnavailableError
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import reading

logger = logging.getLogger(__name__)

_GATHER_SECONDS = 0.05

START_RUN_TASK = "ferryman.start_run"

_INSERT = text("insert into outbox (task, args, queue) values (:task, :args, :queue) returning id").bindparams(
    bindparam("args", type_=JSONB)
)

_DUE = text("""
    select id, task, args, queue from outbox where created_at < now() - make_interval(secs => :older_than)
           and id <> all(cast(:skipped as bigint[]))
     order by id limit :limit for update skip locked
""")

_REMOVE = text("delete from outbox where id = any(:ids)")


@retry_conflicts
class OutboxStore:
    """The messages that wait to be published."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._published: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._remover: threading.Thread | None = None
        self._starting = threading.Lock()

    def remove(self, message_id: int) -> None:
        """Remove a message that was published."""
        self._remove([message_id])

    def remove_soon(self, message_id: int) -> None:
        """Remove a message that was published, together with others of the next moment.

        If it stays for whatever reason, the sweeper publishes it once more, which costs its receiver one look.
        """
        with self._starting:
            if self._remover is None:
                self._remover = threading.Thread(target=self._remove_gathered, name="ferryman-outbox", daemon=True)
                self._remover.start()
        self._published.put(message_id)

    def _remove_gathered(self) -> None:
        while True:
            message_ids = [self._published.get()]
            time.sleep(_GATHER_SECONDS)
            with suppress(queue.Empty):
                while True:
                    message_ids.append(self._published.get_nowait())
            try:
                self._remove(message_ids)
            except StoreUnavailableError:
                logger.warning("published messages stay in the outbox", extra={"messages": len(message_ids)})

    def _remove(self, message_ids: Sequence[int]) -> None:
        with reading(self._engine) as connection:
            connection.execute(_REMOVE, {"ids": list(message_ids)})

    def publish_waiting(
        self,
        publish: Callable[[str, str, list[str], str], bool | None],
        *,
        older_than_seconds: float,
        limit: int,
        skipped: Sequence[str] = (),
    ) -> int:
        """Publish what waits for longer than this, until the first that can not be published; return how many were."""
        due = {"older_than": older_than_seconds, "limit": limit, "skipped": [int(id) for id in skipped]}
        with self._engine.begin() as connection:
            published = []
            for row in connection.execute(_DUE, due).all():
                was_taken = publish(str(row.id), row.task, row.args, row.queue)
                if was_taken is False:
                    break
                published += [row.id] if was_taken else []
            if published:
                connection.execute(_REMOVE, {"ids": published})
        return len(published)


def insert_message(connection: Connection, *, task: str, args: list[str], queue: str) -> int:
    """Promise a message within the caller's transaction."""
    return int(connection.execute(_INSERT, {"task": task, "args": args, "queue": queue}).scalar_one())
