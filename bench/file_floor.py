"""The floor of files, as a program: what a loop without a cursor, a manifest or a schema takes for the same Parquet.

It reads the same jsonb in the order of the log, decodes it, makes the same typed columns by pyarrow and puts a file for
each batch. It prints what it did as JSON.
``python -m bench.file_floor <Ferryman's database URL> <account id> <store's URL>``
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import obstore
import orjson
import psycopg
import pyarrow as pa
from obstore.store import S3Store
from pyarrow import parquet

from app.stack.commands import PROJECT_ROOT
from bench.servers.object_store import BUCKET, KEYS
from bench.table_floor import COLUMNS, READ_LOG, FloorRun, show_as

BATCH: Final = 10_000
_TYPES: Final = {"bigint": pa.int64(), "text": pa.string(), "jsonb": pa.string()}
_SCHEMA: Final = pa.schema(
    [
        *(("account_id", pa.string()), ("tenant_id", pa.string()), ("remote_id", pa.string())),
        *(("sequence", pa.int64()), ("synced_at", pa.timestamp("us", tz="UTC"))),
        ("deleted_at", pa.timestamp("us", tz="UTC")),
        *((name, _TYPES[kind]) for name, kind in COLUMNS.items()),
        ("data", pa.string()),
    ]
)


def run_file_floor(database_url: str, account_id: str, store_url: str) -> FloorRun:
    """Run the floor in a process of its own."""
    command = [sys.executable, "-m", "bench.file_floor", database_url, account_id, store_url]
    done = subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True)
    return FloorRun(**json.loads(done.stdout))


def main() -> None:
    """Measure, and print what it came to."""
    database_url, account_id, store_url = sys.argv[1:]
    options: Any = {"endpoint": store_url, "region": "us-east-1", "virtual_hosted_style_request": False, **KEYS}
    store = S3Store(BUCKET, config=options, client_options={"allow_http": True})
    with psycopg.connect(database_url) as source:
        began = time.perf_counter()
        records = _land(source, store, account_id)
        seconds = time.perf_counter() - began
    print(json.dumps({"records": records, "seconds": seconds}))


def _land(source: psycopg.Connection, store: S3Store, account_id: str) -> int:
    records, after = 0, 0
    while rows := source.execute(READ_LOG, [account_id, after, BATCH]).fetchall():
        sink = pa.BufferOutputStream()
        parquet.write_table(_build_table(account_id, rows), sink, compression="zstd")
        obstore.put(store, f"floor/tickets/{after:020}.parquet", sink.getvalue().to_pybytes())
        records, after = records + len(rows), rows[-1][0]
    return records


def _build_table(account_id: str, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    sequences, ids, synced, deleted, texts = zip(*rows, strict=True)
    decoded = [orjson.loads(text) for text in texts]
    typed = [[show_as(one.get(name), kind) for one in decoded] for name, kind in COLUMNS.items()]
    columns = [[account_id] * len(rows), ["t"] * len(rows), ids, sequences, synced, deleted, *typed, texts]
    return pa.Table.from_arrays(
        [pa.array(values, type=field.type) for field, values in zip(_SCHEMA, columns, strict=True)], schema=_SCHEMA
    )


if __name__ == "__main__":
    main()
