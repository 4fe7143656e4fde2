"""Send a value from one process to another in pieces, each of which takes the receiver a few milliseconds.

A container that is too large for one piece is opened, filled by pieces that hold some of its members, and closed.
"""

import json
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

import orjson

from app.engine.json_types import JSON, JsonObject
from app.sources.reading import json_texts

_PIECE_BYTES: Final = 256 * 1024
_MOST_TRIED: Final = 1000
"""A container with more members is opened without trying whether it fits into a piece."""


class PieceKind(Enum):
    """What a piece does."""

    VALUE = b"="
    """The whole value."""
    ARRAY = b"["
    """An array begins; within an object the content is its key."""
    OBJECT = b"{"
    """An object begins, likewise."""
    MEMBERS = b"+"
    """Members of the container that was opened last, as an array or an object."""
    CLOSE = b"]"
    """The container that was opened last has all its members."""


class Piece(NamedTuple):
    """A part of a value."""

    kind: PieceKind
    content: bytes = b""


def cut(value: JSON) -> Iterator[Piece]:
    """Yield a value in pieces; its containers are emptied on the way."""
    if isinstance(value, dict | list):
        yield from _cut_container(value, b"")
    else:
        yield Piece(PieceKind.VALUE, _encode(value))


def _cut_container(value: JsonObject | list[JSON], key: bytes) -> Iterator[Piece]:
    is_array = isinstance(value, list)
    yield Piece(PieceKind.ARRAY if is_array else PieceKind.OBJECT, key)
    members: list[JSON] = value if isinstance(value, list) else list(value.items())
    if isinstance(value, dict):
        value.clear()
    at, count = 0, 1
    while at < len(members):
        content = _encode_fitting(members[at : at + count], is_array=is_array)
        if content is not None:
            # Sent members are released.
            members[at : at + count] = [None] * len(members[at : at + count])
            at += count
            yield Piece(PieceKind.MEMBERS, content)
            count = count * 2 if len(content) < _PIECE_BYTES // 2 else count
        elif count > 1:
            count = max(1, count // 4)
        else:
            name, inner = (b"", members[at]) if is_array else (_encode(members[at][0]), members[at][1])
            members[at] = None
            at += 1
            yield from _cut_container(inner, name)
    yield Piece(PieceKind.CLOSE)


def _encode_fitting(members: list[JSON], *, is_array: bool) -> bytes | None:
    """Encode members; None where they are too much for one piece, and can be cut further."""
    only = (members[0] if is_array else members[0][1]) if len(members) == 1 else members
    can_be_cut = isinstance(only, dict | list)
    if can_be_cut and len(members) == 1 and len(only) > _MOST_TRIED:
        return None
    content = _encode(members if is_array else dict(members))
    return None if can_be_cut and len(content) > _PIECE_BYTES else content


def _encode(value: JSON) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, or nested more deeply than orjson writes
        return json.dumps(value, ensure_ascii=False).encode()


class Assembly:
    """Assembles a value from its pieces."""

    def __init__(self) -> None:
        self.value: JSON = None
        self._open: list[JsonObject | list[JSON]] = []

    def add(self, piece: Piece) -> None:
        """Add the next piece."""
        match piece.kind:
            case PieceKind.VALUE:
                self.value = json_texts.parse(piece.content)
            case PieceKind.ARRAY:
                self._begin([], piece.content)
            case PieceKind.OBJECT:
                self._begin({}, piece.content)
            case PieceKind.MEMBERS:
                self._fill(json_texts.parse(piece.content))
            case PieceKind.CLOSE:
                self._open.pop()

    def _begin(self, container: JsonObject | list[JSON], key: bytes) -> None:
        if not self._open:
            self.value = container
        else:
            self._fill({json_texts.parse(key): container} if key else [container])
        self._open.append(container)

    def _fill(self, members: JSON) -> None:
        container = self._open[-1]
        if isinstance(container, dict):
            container.update(members)
        else:
            container.extend(members)
