"""Shape a record for the records table: its id, its JSON text and the hash that tells whether it changed."""

import hashlib
import json
from collections.abc import Sequence

import orjson

from app.engine.json_types import JSON
from app.engine.placeholders import UNDEFINED, lookup
from app.engine.work import RecordRow

_HASH_BYTES = 16
# A longer id would not fit into the primary key's index: it is known by its hash.
_LONGEST_ID = 500


def record_row(record: JSON, id_path: Sequence[str]) -> RecordRow:
    """Shape one record; one without an id is known by its content, so that none is ever lost.

    The text has its keys sorted: the same content in another key order is the same record.
    """
    data = encode(record)
    content_hash = hashlib.blake2b(data, digest_size=_HASH_BYTES).digest()
    return RecordRow(
        remote_id=remote_id(record, id_path) or f"content:{content_hash.hex()}",
        data=data,
        content_hash=content_hash,
    )


def remote_id(record: JSON, id_path: Sequence[str]) -> str | None:
    """Read a record's id as text; None when it has none."""
    value = lookup(record, tuple(id_path)) if isinstance(record, dict | list) else UNDEFINED
    match value:
        case str() if len(value) > _LONGEST_ID:
            return f"hash:{hashlib.blake2b(value.encode(), digest_size=_HASH_BYTES).hexdigest()}"
        case str():
            return value or None
        case bool():
            return None
        case int() | float():
            return str(value)
        case _:
            return None


def encode(value: JSON) -> bytes:
    """Write JSON with sorted keys; integers beyond 64 bits, which orjson refuses, by the standard library."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
