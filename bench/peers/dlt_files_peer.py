"""dlt's filesystem destination, by its defaults: the records of an account's log as Parquet on S3.

Runs in the peers' environment: ``python dlt_files_peer.py <Ferryman's database URL> <account id> <store's URL>
<bucket> <key id> <key>``. Prints what it did as JSON.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
import orjson
import psycopg
from dlt.sources.credentials import AwsCredentials

_READ = """
    select sequence, remote_id, synced_at, deleted_at, data::text from record
     where integrated_account_id = %s and sequence >= 0 and sequence > %s order by sequence limit 10000
"""


def main() -> None:
    """Measure, and print what it came to."""
    database_url, account_id, store_url, bucket, key_id, key = sys.argv[1:]
    credentials = AwsCredentials(
        aws_access_key_id=key_id, aws_secret_access_key=key, endpoint_url=store_url, region_name="us-east-1"
    )
    with tempfile.TemporaryDirectory() as place:
        pipeline = dlt.pipeline(
            "peer_files",
            destination=dlt.destinations.filesystem(f"s3://{bucket}/dlt", credentials=credentials),
            dataset_name="tickets",
            pipelines_dir=place,
            dev_mode=True,
        )
        tickets = dlt.resource(_read(database_url, account_id), name="tickets", write_disposition="append")
        began = time.perf_counter()
        pipeline.run(tickets, loader_file_format="parquet")
        seconds = time.perf_counter() - began
    counts = pipeline.last_trace.last_normalize_info.row_counts
    print(json.dumps({"records": counts.get("tickets", 0), "seconds": seconds}))


def _read(database_url: str, account_id: str) -> Iterator[list[dict[str, Any]]]:
    after = 0
    with psycopg.connect(database_url) as source:
        while rows := source.execute(_READ, [account_id, after]).fetchall():
            yield [
                {
                    "account_id": account_id,
                    "tenant_id": "t",
                    "remote_id": remote_id,
                    "sequence": sequence,
                    "synced_at": synced_at,
                    "deleted_at": deleted_at,
                    **orjson.loads(text),
                    "data": text,
                }
                for sequence, remote_id, synced_at, deleted_at, text in rows
            ]
            after = rows[-1][0]


if __name__ == "__main__":
    main()
