"""The records of the demo as typed columns: a select over the view that the leader has made of them."""

import time
from collections.abc import Sequence
from typing import Final

import psycopg
from rich.table import Table

STATEMENT: Final = "select status, count(*) from sample_ticketing.tickets group by 1"
_WAIT_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.2


class TypedRecords:
    """The view of the demo's tickets, read as the role that may read views and nothing else."""

    def __init__(self, database_url: str, role: str | None) -> None:
        self._database_url = database_url
        self._options = "" if role is None else f"-c role={role}"

    def count_by_status(self, expected: int) -> Sequence[tuple[str, int]]:
        """Return how many tickets have each status, once the view shows so many; what it shows when it never does."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            found = self._ask()
            if sum(count for _, count in found) == expected or time.monotonic() > deadline:
                return found
            time.sleep(_POLL_SECONDS)

    def _ask(self) -> Sequence[tuple[str, int]]:
        with psycopg.connect(self._database_url, options=self._options) as connection:
            try:
                return [(status, count) for status, count in connection.execute(STATEMENT)]
            except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
                return ()  # It is made within seconds of the first page.


def build_status_table(rows: Sequence[tuple[str, int]]) -> Table:
    """Return a table of statuses and counts."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("status", no_wrap=True)
    table.add_column("tickets", justify="right")
    for status, count in rows:
        table.add_row(status, f"{count:,}")
    return table


def find_typed_faults(rows: Sequence[tuple[str, int]], expected: int) -> list[str]:
    """Return what differs from the upstream's count."""
    found = sum(count for _, count in rows)
    return (
        [] if found == expected else [f"view sample_ticketing.tickets: {found:,} rows; the upstream holds {expected:,}"]
    )
