"""Values that go from one process to another in pieces."""

import json
from typing import Any

import pytest

from app import interpreter
from app.sources.reading.pieces import Assembly, Piece, PieceKind, cut

KIB = 1024
RECORD = {"id": 1, "name": "x" * 100, "tags": ["a", "b"], "of": {"id": None, "is": True, "at": 1.5}}


def nested(levels: int, inner: Any) -> Any:
    for level in range(levels):
        inner = [inner] if level % 2 else {"in": inner}
    return inner


def many(count: int) -> list[Any]:
    return [{**RECORD, "id": id} for id in range(count)]


VALUES: dict[str, Any] = {
    "null": None,
    "a text": "x",
    "a long text": "x" * 1000 * KIB,
    "an empty array": [],
    "an empty object": {},
    "records": {"data": many(10_000), "next": "x"},
    "objects by id": {"result": {str(id): RECORD for id in range(10_000)}},
    "arrays in arrays": [[many(500) for _ in range(5)] for _ in range(5)],
    "one large record among small ones": [*many(100), {"a": 1, "lines": many(5000), "b": [2]}, *many(100)],
    "many small values": [[]] * 200_000,
    "long integers": [{"id": 10**30 + id} for id in range(20_000)],
    "long texts": ["x" * 300 * KIB, {"y": "\u00e9" * 300 * KIB}, "z"],
    "deep": nested(900, "inner"),
    "deep and long": nested(60, many(3000)),
    "strange keys": {"": 1, '"': {"\u2028": many(2000)}, "a.b": [{}]},
}


def sent(value: Any) -> list[Piece]:
    return list(cut(json.loads(json.dumps(value))))


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_value_comes_back_in_pieces_as_it_went(value: Any) -> None:
    interpreter.raise_recursion_limit()
    assembly = Assembly()

    for piece in sent(value):
        assembly.add(piece)

    assert assembly.value == value


@pytest.mark.parametrize("name", [name for name in VALUES if "long text" not in name])
def test_no_piece_is_large_but_one_text(name: str) -> None:
    interpreter.raise_recursion_limit()

    longest = max(len(piece.content) for piece in sent(VALUES[name]))

    assert longest <= 256 * KIB


def test_a_value_is_given_up_while_it_is_cut() -> None:
    value = many(10_000)

    pieces = cut(value)
    while next(pieces).kind is not PieceKind.CLOSE:
        pass

    assert value == [None] * 10_000
