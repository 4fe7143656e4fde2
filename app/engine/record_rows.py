"""Shape records for the records table: their ids, their JSON text and the hash that tells whether one has changed."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import orjson

from app.engine.json_types import JSON
from app.engine.paths import Path, lookup

_HASH_BYTES = 16
# A longer id would not fit into the primary key's index: it is known by its hash.
_LONGEST_ID = 500
# A row that is kept takes some 4 KB, however short it is: orjson writes into that much, and what it gives back is in
# pieces that are too small for the next row.
_MOST_ROWS_KEPT = 5_000


class RecordRow(NamedTuple):
    """One record as the records table takes it; a tuple, since there are a thousand of them per page."""

    remote_id: str
    data: bytes
    """Its JSON in UTF-8, keys sorted."""
    content_hash: bytes


class RecordBatch:
    """Records on their way into the table, each id once: of several with one id the last is kept.

    To write a record as text and to hash it is the dearest part of the way, and Postgres needs only the ids to look for
    what it holds. So ids are read at once, and rows are made when they are asked for: while Postgres is busy.
    """

    def __init__(self, records: Iterable[JSON] = (), id_path: Sequence[str] = ("id",)) -> None:
        path = tuple(id_path)
        name = path[0] if len(path) == 1 else None
        drafts: dict[str, JSON | RecordRow] = {}
        self._drafts = drafts
        self.given = 0
        for record in records:
            self.given += 1
            # Usual ids on the shortest way: there are a thousand per page.
            value = record.get(name) if name is not None and type(record) is dict else None
            if type(value) is int:
                drafts[str(value)] = record
            elif (known := remote_id(record, path)) is not None:
                drafts[known] = record
            else:
                row = record_row(record, path)
                drafts[row.remote_id] = row if len(drafts) < _MOST_ROWS_KEPT else record

    def __len__(self) -> int:
        return len(self._drafts)

    @property
    def ids(self) -> list[str]:
        """The records' ids in their order."""
        return list(self._drafts)

    @property
    def keeps_rows(self) -> bool:
        """Whether a row that was made need not be made again; a very large batch makes each when it is asked for."""
        return len(self._drafts) <= _MOST_ROWS_KEPT

    def make_rows(self, ids: Iterable[str]) -> None:
        """Make the rows of these records now, to be kept."""
        for _ in self.rows(ids):
            pass

    def rows(self, ids: Iterable[str]) -> Iterator[RecordRow]:
        """Make the rows of these records, one as it is asked for; none is made twice where rows are kept."""
        keeps_rows = self.keeps_rows
        for known in ids:
            draft = self._drafts[known]
            if not isinstance(draft, RecordRow):
                draft = _row(known, draft)
                if keeps_rows:
                    self._drafts[known] = draft
            yield draft


def record_row(record: JSON, id_path: Sequence[str]) -> RecordRow:
    """Shape one record; one without an id is known by its content, so that none is ever lost.

    The text has its keys sorted: the same content in another key order is the same record.
    """
    known = remote_id(record, tuple(id_path))
    row = _row(known or "", record)
    return row if known else row._replace(remote_id=f"content:{row.content_hash.hex()}")


def remote_id(record: JSON, id_path: Path) -> str | None:
    """Read a record's id as text; None when it has none."""
    if not isinstance(record, dict | list):
        return None
    value = record.get(id_path[0]) if len(id_path) == 1 and isinstance(record, dict) else lookup(record, id_path)
    match value:
        case str():
            return (value if len(value) <= _LONGEST_ID else _hashed(value)) or None
        case bool():
            return None
        case int() | float():
            return str(value)
        case _:
            return None


def _hashed(text: str) -> str:
    return f"hash:{hashlib.blake2b(text.encode(), digest_size=_HASH_BYTES).hexdigest()}"


def encode(value: JSON) -> bytes:
    """Write JSON with sorted keys; integers beyond 64 bits, which orjson refuses, by the standard library."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def encoded(data: bytes) -> JSON:
    """Give JSON that was written before a place in a value that ``encode`` writes."""
    return orjson.Fragment(data)


def _row(known: str, record: JSON) -> RecordRow:
    data = encode(record)
    return RecordRow(known, data, hashlib.blake2b(data, digest_size=_HASH_BYTES).digest())
