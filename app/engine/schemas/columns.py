"""The columns of a resource's records: one for each key of a record, with a type that it keeps for ever."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class ColumnType(StrEnum):
    """What a column holds; the values are the names of Postgres' types."""

    BOOLEAN = "bool"
    BIGINT = "bigint"
    """An integer of 64 bits."""
    NUMERIC = "numeric"
    """A decimal number of any size: integers beyond 64 bits, and what is declared."""
    DOUBLE = "double precision"
    DATE = "date"
    """Declared only."""
    TIMESTAMPTZ = "timestamptz"
    """Declared only."""
    TEXT = "text"
    """A text; of another scalar, its JSON."""
    JSONB = "jsonb"
    """Objects and arrays; of a scalar, itself."""


class SchemaPolicy(StrEnum):
    """What happens to a resource's schema when records do not fit it."""

    EVOLVE = "evolve"
    """Columns are added."""
    NOTIFY = "notify"
    """Columns are added, and ``schema:changed`` is sent."""
    FREEZE = "freeze"
    """No column is added; a record that does not fit is quarantined at destinations, the rest lands."""


SUFFIXES: Final = {kind: "double" if kind is ColumnType.DOUBLE else kind.value for kind in ColumnType}
"""What the name of a key's further column ends in, after two underscores: ``price__text``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: which key of a record it shows, and as what."""

    name: str
    """In views, tables and files; unique within its resource, at most 63 bytes."""
    key: str
    """Of the record's object, at its top level."""
    type: ColumnType
    is_declared: bool = False
    """Its type was declared, not learned: it reads texts too, such as ``"12.50"`` or ``"2026-11-30"``."""
    is_ignored: bool = False
    """Its owner does not want it: it stays where it was made, and is not made anywhere else."""
    first_seen_at: datetime | None = None
    last_seen_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSchema:
    """The columns of one resource of one integration in one environment."""

    environment_id: str
    integration_name: str
    resource: str
    columns: Sequence[Column] = ()
    """In the order in which they were added; none is ever taken away."""
    policy: SchemaPolicy = SchemaPolicy.EVOLVE
    left_out: int = 0
    """At least so many keys have no column, as the resource has as many as it may have; they stay in ``data``."""

    def list_shown(self) -> Iterator[Column]:
        """Yield the columns that are not ignored."""
        return (column for column in self.columns if not column.is_ignored)


SYSTEM_COLUMNS: Final = ("account_id", "tenant_id", "remote_id", "sequence", "synced_at", "deleted_at")
"""What each view, table and file has in front of its resource's columns; no column has one of these names."""
MAX_COLUMNS: Final = 1000
"""Of one resource; Postgres itself takes 1,600."""
