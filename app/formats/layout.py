"""What a file holds: its columns in their order, and the rows that it is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from app.engine.json_types import JSON
from app.engine.schemas.columns import SYSTEM_COLUMNS, Column, ColumnType

DATA_COLUMN: Final = "data"
"""Holds the record as JSON, where that is asked for; a resource's own column of this name is left out then."""
SYSTEM_TYPES: Final = {
    "account_id": ColumnType.TEXT,
    "tenant_id": ColumnType.TEXT,
    "remote_id": ColumnType.TEXT,
    "sequence": ColumnType.BIGINT,
    "synced_at": ColumnType.TIMESTAMPTZ,
    "deleted_at": ColumnType.TIMESTAMPTZ,
}


class Row(NamedTuple):
    """One record as it stands in the log; a tuple, since there are a thousand of them per page."""

    account_id: str
    tenant_id: str
    remote_id: str
    sequence: int
    synced_at: datetime
    deleted_at: datetime | None
    data: str
    """The record's JSON."""
    record: JSON = None
    """The same as a value, where it was read already; None: not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLayout:
    """The columns of a file: those of every file, those of its resource, and the record's JSON where that is wanted."""

    columns: Sequence[Column]
    with_data: bool = False

    @property
    def typed(self) -> Sequence[Column]:
        """The resource's columns that the file has."""
        return [one for one in self.columns if not (self.with_data and one.name == DATA_COLUMN)]

    @property
    def named_types(self) -> Sequence[tuple[str, ColumnType]]:
        """All columns in their order, each with its type."""
        typed = [(column.name, column.type) for column in self.typed]
        data = [(DATA_COLUMN, ColumnType.JSONB)] if self.with_data else []
        return [*((name, SYSTEM_TYPES[name]) for name in SYSTEM_COLUMNS), *typed, *data]
