"""Make rows of the records table: ids, JSON text, and the hash by which a change is found."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple

import orjson

from app.engine.json_types import JSON
from app.engine.paths import lookup
from app.engine.records.keys import BY_ID, RecordKey

HASH_BYTES = 16
_LONG_NUMBER: Final = b"0" * 19
_ANY_DIGIT: Final = bytes.maketrans(b"123456789", b"000000000")
# A longer id would not fit into the primary key's index: its hash is used instead.
_LONGEST_ID = 500
# A row that is kept takes some 4 KB, however short it is: orjson writes into that much, and what it frees is in
# pieces that are too small for the next row.
_MOST_ROWS_KEPT = 5_000


class RecordRow(NamedTuple):
    """One row of the records table; a tuple, since there are a thousand of them per page."""

    remote_id: str
    data: bytes
    """Its JSON in UTF-8, keys sorted."""
    content_hash: bytes


class RecordBatch:
    """Records that are about to be written, each id once: of several with one id the last is kept.

    Writing a record as text and hashing it is the most expensive part, and Postgres needs only the ids to look for
    what it holds. So ids are read at once, and rows are made when they are asked for: while Postgres is busy.
    """

    def __init__(self, records: Iterable[JSON] = (), key: RecordKey = BY_ID) -> None:
        name = key.name
        drafts: dict[str, JSON | RecordRow] = {}
        self._drafts = drafts
        self.given = 0
        self.without_id = 0
        """How many are identified by their content; texts and numbers, which are their own ids, do not count."""
        for record in records:
            self.given += 1
            # The fast path for usual ids: there are a thousand per page.
            value = record.get(name) if name is not None and type(record) is dict else None
            if type(value) is int:
                drafts[str(value)] = record
            elif type(value) is str and 0 < len(value) <= _LONGEST_ID:
                drafts[value] = record
            elif (known := read_id(record, key)) is not None:
                drafts[known] = record
            else:
                row = _identify_by_content(record)
                drafts[row.remote_id] = row if len(drafts) < _MOST_ROWS_KEPT else record
                self.without_id += isinstance(record, dict | list)

    def __len__(self) -> int:
        return len(self._drafts)

    @property
    def ids(self) -> list[str]:
        """The records' ids in their order."""
        return list(self._drafts)

    @property
    def keeps_rows(self) -> bool:
        """Whether rows are cached; a very large batch makes each row when it is needed."""
        return len(self._drafts) <= _MOST_ROWS_KEPT

    def make_rows(self, ids: Iterable[str]) -> None:
        """Make and cache the rows of these records now."""
        for _ in self.rows(ids):
            pass

    def rows(self, ids: Iterable[str]) -> Iterator[RecordRow]:
        """Yield the rows of these records; each is made when it is needed, and once where rows are cached."""
        keeps_rows = self.keeps_rows
        for known in ids:
            draft = self._drafts[known]
            if not isinstance(draft, RecordRow):
                draft = _make_row(known, draft)
                if keeps_rows:
                    self._drafts[known] = draft
            yield draft


def make_row(record: JSON, key: RecordKey) -> RecordRow:
    """Make the row of one record; one without an id is identified by its content, so that none is lost.

    The text has its keys sorted: the same content in another key order is the same record.
    """
    known = read_id(record, key)
    return _make_row(known, record) if known is not None else _identify_by_content(record)


def read_id(record: JSON, key: RecordKey) -> str | None:
    """Read a record's id as text; None when it has none, or lacks a part of it."""
    if not isinstance(record, dict | list) or not key.paths:
        return None
    if key.may_lack_parents and isinstance(record, dict) and not any(name in record for name in key.parents):
        key = replace(key, parents=(), may_lack_parents=False)
    if (name := key.name) is not None:
        value = record.get(name) if isinstance(record, dict) else lookup(record, (name,))
    elif key.is_array:
        is_object = type(record) is dict
        return _join(
            [record.get(path[0]) if is_object and len(path) == 1 else lookup(record, path) for path in key.parts]
        )
    else:
        value = lookup(record, key.paths[0])
    if not _is_id(value):
        return None
    return _fit(value if isinstance(value, str) else str(value))


def _join(values: list[JSON]) -> str | None:
    """Write the parts of an id as a JSON array, which keeps their types and borders apart."""
    for value in values:
        if type(value) is not int and not _is_id(value):
            return None
    return _fit(encode(values).decode())


def _is_id(value: JSON) -> bool:
    match value:
        case str():
            return bool(value)
        case bool():
            return False
        case int() | float():
            return True
        case _:
            return False


def _fit(text: str) -> str:
    if len(text) <= _LONGEST_ID:
        return text
    return f"hash:{hashlib.blake2b(text.encode(), digest_size=HASH_BYTES).hexdigest()}"


def _identify_by_content(record: JSON) -> RecordRow:
    row = _make_row("", record)
    return row._replace(remote_id=f"content:{row.content_hash.hex()}")


def encode(value: JSON) -> bytes:
    """Write JSON with sorted keys; integers beyond 64 bits, which orjson refuses, by the standard library."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decode(text: str) -> JSON:
    """Read JSON as it is: orjson makes a double of an integer beyond 64 bits, and refuses numbers beyond a double."""
    encoded = text.encode()
    # Faster than a regular expression by far.
    return json.loads(text) if _LONG_NUMBER in encoded.translate(_ANY_DIGIT) else orjson.loads(encoded)


def embed_encoded(data: bytes) -> JSON:
    """Wrap JSON text, so that ``encode`` embeds it as it is."""
    return orjson.Fragment(data)


def _make_row(known: str, record: JSON) -> RecordRow:
    data = encode(record)
    return RecordRow(known, data, hashlib.blake2b(data, digest_size=HASH_BYTES).digest())
