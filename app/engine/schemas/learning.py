"""How a resource's columns follow from the values of its records: they are added, and never changed or taken away."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce
from typing import Final

from app.engine.json_types import JSON
from app.engine.schemas.columns import MAX_COLUMNS, SUFFIXES, Column, ColumnType, ResourceSchema, SchemaPolicy
from app.engine.schemas.names import name_column
from app.engine.schemas.values import holds, join_types, type_of

SEEN_EVERY: Final = timedelta(minutes=1)
"""How exact ``last_seen_at`` is: a schema that is learned all the time is not written all the time."""


def learn(
    schema: ResourceSchema,
    seen: Mapping[str, Collection[ColumnType]],
    at: datetime,
    *,
    unread: Collection[str] = (),
) -> ResourceSchema:
    """Return the schema after values of such types were seen at each key, at a time.

    ``unread`` are the keys with texts that the column which was declared for them does not read. What no column of a
    key holds adds one that is wider than all of them. Learning the same again within a minute changes nothing.
    """
    learned = _Learned(schema, at)
    for key in sorted(seen):
        if kinds := frozenset(seen[key]):
            learned.see(key, kinds, is_unread=key in unread)
    return learned.build()


def seen_in(records: Iterable[JSON]) -> Mapping[str, set[ColumnType]]:
    """Return which types the values of each key have; null has none, and what is no object has no keys."""
    seen: defaultdict[str, set[ColumnType]] = defaultdict(set)
    for record in records:
        if isinstance(record, dict):
            for key, value in record.items():
                if (kind := type_of(value)) is not None:
                    seen[key].add(kind)
    return dict(seen)


class _Learned:
    """A schema that is being added to."""

    def __init__(self, schema: ResourceSchema, at: datetime) -> None:
        self._schema = schema
        self._at = at
        self._columns = list(schema.columns)
        self._names = {column.name for column in schema.columns}
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        self._left_out = 0
        for place, column in enumerate(schema.columns):
            self._places[column.key].append(place)

    def see(self, key: str, kinds: Collection[ColumnType], *, is_unread: bool) -> None:
        """Add what a key's values need, and note that its columns were seen."""
        places = self._places[key]
        held = {kind for kind in kinds for place in places if self._holds(place, kind, is_unread=is_unread)}
        for place in places:
            if any(self._holds(place, kind, is_unread=False) for kind in kinds):
                self._note_seen(place)
        if len(held) < len(kinds):
            self._add(key, kinds)

    def build(self) -> ResourceSchema:
        """Return the schema as it has become."""
        left_out = max(self._schema.left_out, self._left_out)
        return replace(self._schema, columns=tuple(self._columns), left_out=left_out)

    def _holds(self, place: int, kind: ColumnType, *, is_unread: bool) -> bool:
        column = self._columns[place]
        reads_texts = column.is_declared and kind is ColumnType.TEXT and not is_unread
        return reads_texts or holds(column.type, kind)

    def _note_seen(self, place: int) -> None:
        column = self._columns[place]
        if column.last_seen_at is None or self._at >= column.last_seen_at + SEEN_EVERY:
            first = column.first_seen_at or self._at
            self._columns[place] = replace(column, first_seen_at=first, last_seen_at=self._at)

    def _add(self, key: str, kinds: Collection[ColumnType]) -> None:
        if self._schema.policy is SchemaPolicy.FREEZE:
            return
        if len(self._columns) >= MAX_COLUMNS:
            self._left_out += 1
            return
        places = self._places[key]
        former = [self._columns[place].type for place in places]
        kind = reduce(join_types, [*former, *sorted(kinds)])
        suffix = SUFFIXES[kind] if places else ""
        name = name_column(key, self._names, suffix=suffix)
        column = Column(name=name, key=key, type=kind, first_seen_at=self._at, last_seen_at=self._at)
        self._places[key].append(len(self._columns))
        self._columns.append(column)
        self._names.add(name)
