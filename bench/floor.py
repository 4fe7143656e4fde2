"""The floor, as a program: what no sync engine on one core beats by much.

It fetches every page over one kept connection, decodes it, copies it into a temporary table and upserts it into
(account, resource, id) -> jsonb, one transaction a page: no run, no cursor that survives, no retry, no log, no hash.
It prints what it did as JSON. ``python -m bench.floor <upstream world's URL> <database URL> <resource>``
"""

import http.client
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import orjson
import psycopg

from app.stack.commands import PROJECT_ROOT

TABLE: Final = "floor_record"

_MAKE = f"""
    drop table if exists {TABLE};
    create table {TABLE} (account int, resource text, remote_id text, data jsonb, synced_at timestamptz default now(),
                          primary key (account, resource, remote_id))
"""
_STAGE = "create temp table staged (remote_id text, data jsonb) on commit drop"
_UPSERT = f"""
    insert into {TABLE} (account, resource, remote_id, data) select 1, 'tickets', remote_id, data from staged
    on conflict (account, resource, remote_id) do update set data = excluded.data, synced_at = now()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRun:
    """What one run of the floor came to."""

    records: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Return how many records a second were written."""
        return self.records / self.seconds


def run_floor(world_url: str, database_url: str, resource: str = "tickets") -> FloorRun:
    """Run the floor in a process of its own."""
    command = [sys.executable, "-m", "bench.floor", world_url, database_url, resource]
    done = subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True)
    return FloorRun(**json.loads(done.stdout))


def main() -> None:
    """Measure, and print what it came to."""
    world_url, database_url, resource = sys.argv[1:]
    with psycopg.connect(database_url) as database:
        database.execute(_MAKE)
        database.commit()
        began, cpu_began = time.perf_counter(), time.process_time()
        records = _sync(f"{world_url}/{resource}", database)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    print(json.dumps({"records": records, "seconds": seconds, "cpu_seconds": cpu_seconds}))


def _sync(list_url: str, database: psycopg.Connection) -> int:
    url = urlsplit(list_url)
    upstream = http.client.HTTPConnection(url.hostname or "", url.port)
    records, cursor = 0, ""
    while True:
        upstream.request("GET", url.path + (f"?cursor={cursor}" if cursor else ""))
        page = orjson.loads(upstream.getresponse().read())
        _write(database, page["data"])
        records += len(page["data"])
        if not (cursor := page["next_cursor"]):
            return records


def _write(database: psycopg.Connection, rows: list[dict[str, object]]) -> None:
    with database.cursor() as cursor:
        cursor.execute(_STAGE)
        with cursor.copy("copy staged from stdin") as copy:
            for row in rows:
                copy.write_row((str(row["id"]), orjson.dumps(row).decode()))
        cursor.execute(_UPSERT)
    database.commit()


if __name__ == "__main__":
    main()
