"""The records of a range as the rows of a file."""

import json
from collections.abc import Sequence

import orjson

from app.engine.json_types import JSON
from app.formats.layout import Row
from app.services.destinations.ports import Batch, LogRange


def build_rows(log_range: LogRange, batch: Batch, *, with_absent: bool = True) -> list[Row]:
    """Return the rows of a batch, in the order of the log; ``with_absent`` those too that only have a key."""
    return [
        Row(
            log_range.account_id,
            log_range.tenant_id,
            record.remote_id,
            record.sequence,
            record.synced_at,
            record.deleted_at,
            _dump(record.data),
            record.data,
        )
        for record in batch.records
        if with_absent or not record.is_absent
    ]


def cut_rows(rows: Sequence[Row], most: int) -> Sequence[Sequence[Row]]:
    """Return rows in pieces, so that no more than one is held as columns."""
    return [rows[start : start + most] for start in range(0, len(rows), most)]


def _dump(data: JSON) -> str:
    try:
        return orjson.dumps(data).decode()
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(data, ensure_ascii=False)
