"""Messages that were promised to the broker: written with the run, removed once published."""

from collections.abc import Callable
from itertools import takewhile

from sqlalchemy import Connection, Engine, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

START_RUN_TASK = "ferryman.start_run.v1"

_INSERT = text("insert into outbox (task, args, queue) values (:task, :args, :queue) returning id").bindparams(
    bindparam("args", type_=JSONB)
)

_DUE = text("""
    select id, task, args, queue from outbox where created_at < now() - make_interval(secs => :older_than)
     order by id limit :limit for update skip locked
""")

_REMOVE = text("delete from outbox where id = any(:ids)")


class OutboxStore:
    """The messages that wait to be published."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def remove(self, message_id: int) -> None:
        """Forget a message that was published."""
        with self._engine.begin() as connection:
            connection.execute(_REMOVE, {"ids": [message_id]})

    def publish_waiting(
        self, publish: Callable[[str, list[str], str], bool], *, older_than_seconds: float, limit: int
    ) -> int:
        """Publish what waits for longer than this, until the first that can not be published; count the published."""
        with self._engine.begin() as connection:
            rows = connection.execute(_DUE, {"older_than": older_than_seconds, "limit": limit}).all()
            published = [row.id for row in takewhile(lambda row: publish(row.task, row.args, row.queue), rows)]
            if published:
                connection.execute(_REMOVE, {"ids": published})
        return len(published)


def insert_message(connection: Connection, *, task: str, args: list[str], queue: str) -> int:
    """Promise a message within the caller's transaction."""
    return int(connection.execute(_INSERT, {"task": task, "args": args, "queue": queue}).scalar_one())
