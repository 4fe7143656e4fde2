"""Merge batches of records that wait for a webhook, before they are sent for the first time.

A line of events is sent in its order. A batch joins a later one of the same kind and takes its place, and its number in
the account's log: whatever reader has come to that number has seen all of it, or finds it behind. It jumps over nothing
that it is related to: a parent's records stay before its children's, and those of one resource stay in their order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from app.engine.json_types import JsonObject
from app.engine.records.rows import encode

_META: Final = b',"meta":'
_METHOD: Final = b',"method":'
_RECORDS: Final = b',"records":['
_RESOURCE: Final = b'],"resource":'
_PREVIOUS: Final = b',"previous_sequence":'


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeBounds:
    """How large a batch may become by merging."""

    records: int = 0
    """Up to 1 merges nothing."""
    bytes: int = 0

    @property
    def is_merging(self) -> bool:
        """Whether anything is merged."""
        return self.records > 1

    def has_room(self, records: int, size: int) -> bool:
        """Whether a batch of so many records and bytes may grow."""
        return self.is_merging and records < self.records and size < self.bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An event in its run's line."""

    id: str
    resource_id: str | None
    records: int
    size: int
    """Bytes of its body."""
    is_open: bool
    """It is a batch of records before its first attempt."""
    body: bytes | None = field(default=None, repr=False)
    """Of an open batch that is small enough to be merged."""
    sequence: int | None = None
    previous_sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The events of a run that wait for its webhook, as of one moment."""

    waiting: Sequence[Waiting]
    """At least one."""
    age_seconds: float
    """How long the first of them has waited."""
    is_fetched: bool
    """A unit fetches, or is about to: more may come."""

    def is_growing(self, bounds: MergeBounds) -> bool:
        """Whether the first batch may still get company: it has room, and nothing behind it ends the line for it."""
        head = self.waiting[0]
        same = [one for one in self.waiting if one.resource_id == head.resource_id]
        has_room = bounds.has_room(sum(one.records for one in same), sum(one.size for one in same))
        return self.is_fetched and has_room and all(one.is_open for one in self.waiting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A batch as it is to be sent: the last of its parts, which takes in the others."""

    parts: Sequence[Waiting]
    previous_sequence: int | None

    @property
    def last(self) -> Waiting:
        """The part whose place, id and number it has."""
        return self.parts[-1]

    @property
    def is_changed(self) -> bool:
        """Whether it differs from what waits."""
        return len(self.parts) > 1 or self.previous_sequence != self.last.previous_sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A resource of a run, by which order matters."""

    id: str
    name: str
    resource: str
    parent_name: str | None


class RelatedResources:
    """Which resources of a run are related: ancestors and descendants, and those of one upstream resource."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        by_name = {node.name: node for node in nodes}
        self._nodes = {node.id: node for node in nodes}
        self._lines = {node.id: _list_line(node, by_name) for node in nodes}

    def are_related(self, one: str | None, other: str | None) -> bool:
        """Whether records of the two have to stay in their order; those of a resource that is not known do."""
        if one is None or other is None or one not in self._nodes or other not in self._nodes:
            return True
        first, second = self._nodes[one], self._nodes[other]
        is_descent = first.name in self._lines[other] or second.name in self._lines[one]
        return is_descent or first.resource == second.resource


def _list_line(node: Node, by_name: Mapping[str, Node]) -> frozenset[str]:
    names = {node.name}
    while node.parent_name is not None and node.parent_name not in names and node.parent_name in by_name:
        node = by_name[node.parent_name]
        names.add(node.name)
    return frozenset(names)


def merge_line(line: Sequence[Waiting], bounds: MergeBounds, kinship: RelatedResources) -> list[Merged]:
    """Merge the batches before the first event that is no open batch; return what is to be sent, in order."""
    groups: list[_Group] = []
    for batch in _open_head(line):
        place = _find_place(batch, groups, bounds, kinship)
        # A batch that takes another one in moves to its place, behind all others.
        group = _Group(_find_kind(batch)) if place is None else groups.pop(place)
        group.add(batch)
        groups.append(group)
    before = {
        part.sequence: part.previous_sequence
        for group in groups
        for part in group.parts[:-1]
        if part.sequence is not None
    }
    return [Merged(parts=group.parts, previous_sequence=_find_previous(before, group.parts[-1])) for group in groups]


def write_merged_body(merged: Merged) -> bytes:
    """Write a batch of several: the records of all its parts in their order, in the envelope of the last one."""
    bodies = [part.body or b"" for part in merged.parts]
    last = bodies[-1]
    meta_end = last.index(_METHOD)
    envelope = last[: last.index(_META) + len(_META)]
    between = last[meta_end : last.index(_RECORDS) + len(_RECORDS)]
    records = b",".join(body[body.index(_RECORDS) + len(_RECORDS) : body.rindex(_RESOURCE)] for body in bodies)
    tail = last[last.rindex(_RESOURCE) : last.rindex(_PREVIOUS)]
    return b"".join([envelope, encode(_merge_meta(bodies)), between, records, tail, write_numbers(merged)])


def write_numbers(merged: Merged) -> bytes:
    """Write the end of a batch's body: its number, and that of the one before it."""
    own = {"previous_sequence": merged.previous_sequence, "sequence": merged.last.sequence}
    return b"," + encode(own)[1:]


def _open_head(line: Sequence[Waiting]) -> list[Waiting]:
    closed = next((place for place, one in enumerate(line) if not one.is_open), len(line))
    return list(line[:closed])


@dataclass(slots=True)
class _Group:
    """Batches that are sent as one."""

    kind: object
    """None of a batch that is sent alone."""
    parts: list[Waiting] = field(default_factory=list)
    records: int = 0
    size: int = 0

    def add(self, batch: Waiting) -> None:
        self.parts.append(batch)
        self.records += batch.records
        self.size += batch.size

    def has_room_for(self, batch: Waiting, bounds: MergeBounds) -> bool:
        return self.records + batch.records <= bounds.records and self.size + batch.size <= bounds.bytes


def _find_place(batch: Waiting, groups: Sequence[_Group], bounds: MergeBounds, kinship: RelatedResources) -> int | None:
    """Find the batch that another one joins; None where it stays by itself."""
    kind = _find_kind(batch)
    for place in range(len(groups) - 1, -1, -1):
        group = groups[place]
        if kind is not None and group.kind == kind:
            return place if group.has_room_for(batch, bounds) else None
        if kinship.are_related(group.parts[-1].resource_id, batch.resource_id):
            return None
    return None


def _find_kind(batch: Waiting) -> object:
    """Return what the batches have in common that may be merged; None of one that may not."""
    if batch.body is None or batch.sequence is None:
        return None
    meta = _read_meta(batch.body)
    return (batch.resource_id, "ids" in meta, encode({**meta, "ids": None}))


def _read_meta(body: bytes) -> JsonObject:
    found: JsonObject = orjson.loads(body[body.index(_META) + len(_META) : body.index(_METHOD)])
    return found


def _merge_meta(bodies: Sequence[bytes]) -> JsonObject:
    metas = [_read_meta(body) for body in bodies]
    if "ids" not in metas[-1]:
        return metas[-1]
    return {**metas[-1], "ids": [id for meta in metas for id in meta["ids"]]}


def _find_previous(before: Mapping[int, int | None], batch: Waiting) -> int | None:
    """Find the number that a batch follows once others are given up."""
    number = batch.previous_sequence
    while number is not None and number in before:
        number = before[number]
    return number
