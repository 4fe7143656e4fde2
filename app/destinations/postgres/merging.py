"""Bring a batch into a table, and find which of its records the table can not hold."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from app.destinations.postgres import statements
from app.destinations.postgres.faults import explain_refusal
from app.destinations.postgres.lines import build_lines, copy_lines
from app.destinations.postgres.tables import MOST_COLUMNS, Connection, Table
from app.destinations.refusals import ENCODING_FAULTS, explain_encoding, find_refused, refuse
from app.engine.objects.destinations import Deletes, WriteMode
from app.engine.schemas.columns import Column
from app.engine.schemas.values import fit
from app.services.destinations.ports import Batch, LoggedRecord, Quarantined


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """How records of one account get into one table."""

    table: Table
    mode: WriteMode
    deletes: Deletes
    account_id: str
    tenant_id: str
    is_rebuild: bool

    def list_columns(self, batch: Batch) -> list[Column]:
        """List the columns that are written."""
        return [column for column in batch.schema.list_shown() if column.name in self.table.columns]

    def make_incoming(self, connection: Connection, batch: Batch, number: int) -> sql.Identifier:
        """Make the temporary table that a batch is copied into."""
        incoming = sql.Identifier(f"_ferryman_in_{number}")
        connection.execute(statements.build_incoming(incoming, self.list_columns(batch)))
        return incoming

    def bring(
        self, connection: Connection, incoming: sql.Identifier, batch: Batch, changed: set[int] | None = None
    ) -> tuple[int, int]:
        """Copy a batch and merge it; return how many rows changed, and how many characters were copied.

        The sequences of the rows that changed are added to ``changed``.
        """
        columns = self.list_columns(batch)
        size = copy_lines(connection, incoming, build_lines(batch.records, columns))
        merges = statements.build_merge(
            self.table.name, incoming, columns, mode=self.mode, deletes=self.deletes, is_rebuild=self.is_rebuild
        )
        place: dict[str, Any] = {"account_id": self.account_id, "tenant_id": self.tenant_id}
        count = 0
        for merge, returning in merges:
            done = connection.execute(merge if changed is None else merge + returning, place)
            count += done.rowcount
            if changed is not None:
                changed.update(row[0] for row in done)
        return count, size


def find_refused_by_merge(connection: Connection, merge: Merge, batch: Batch, number: int) -> list[Quarantined]:
    """Find the records of a batch that can not be merged; to be called in a transaction that is taken back."""
    incoming = merge.make_incoming(connection, batch, number)
    names = [column.name for column in merge.list_columns(batch)]

    def attempt(records: Sequence[LoggedRecord]) -> str | None:
        try:
            with connection.transaction():
                # What came in stays for the next attempt: two records may be refused only beside each other.
                merge.bring(connection, incoming, replace(batch, records=records))
                connection.execute(sql.SQL("truncate {}").format(incoming))
        except psycopg.Error as error:
            if (reason := explain_refusal(error, names)) is None:
                raise
            return reason
        except ENCODING_FAULTS as error:
            return explain_encoding(error)
        return None

    return find_refused(batch, attempt)


def find_without_column(batch: Batch, table: Table) -> list[Quarantined]:
    """Find the records with values for which a table has no column, as it holds no more of them."""
    lacking = [column for column in batch.schema.list_shown() if column.name not in table.columns]
    if not lacking:
        return []
    found = []
    for record in batch.records:
        data = record.data if isinstance(record.data, dict) and record.deleted_at is None else {}
        names = [column.name for column in lacking if fit(data.get(column.key), column) is not None]
        if names:
            reason = f"the table has no column '{names[0]}': Postgres has {MOST_COLUMNS:,} of a table at most"
            found.append(refuse(batch.resource, record, reason))
    return found
