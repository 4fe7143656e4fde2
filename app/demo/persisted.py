"""The records of a daemon run in Postgres, read by SQL without Ferryman's code."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.rows import TupleRow

from app.engine.json_types import JsonObject

_COUNT = "select resource, count(*) from record where integrated_account_id = %s group by resource"
_SAMPLE = """
    select resource, remote_id, data
    from (
        select *, row_number() over (partition by resource order by remote_id) as place
        from record where integrated_account_id = %s
    ) as numbered
    where place <= 2
    order by resource desc, place
"""


class PersistedRecords:
    """One account's rows of the record table."""

    def __init__(self, database_url: str, account_id: str) -> None:
        self._database_url = database_url
        self._account_id = account_id

    def counts(self) -> dict[str, int]:
        """Count the rows of each resource."""
        with self._rows(_COUNT) as rows:
            return dict(rows)

    def sample(self) -> list[tuple[str, str, JsonObject]]:
        """Return the first two rows of each resource: its name, the record's id, its data."""
        with self._rows(_SAMPLE) as rows:
            return [(resource, remote_id, data) for resource, remote_id, data in rows]

    @contextmanager
    def _rows(self, query: str) -> Iterator[psycopg.Cursor[TupleRow]]:
        with psycopg.connect(self._database_url) as connection:
            yield connection.execute(query, [self._account_id])
