"""The floor of destinations, as a program: what a loop without a cursor, a lease or a schema takes for the same rows.

It reads the same jsonb in the order of the log, decodes it, copies the same typed columns into a temporary table and
merges them by key and sequence, one transaction a batch. It prints what it did as JSON.
``python -m bench.table_floor <Ferryman's database URL> <account id> <target's database URL>``
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Final

import orjson
import psycopg

from app.stack.commands import PROJECT_ROOT

BATCH: Final = 5000
COLUMNS: Final = {
    "id": "bigint",
    "tags": "jsonb",
    "status": "text",
    "subject": "text",
    "priority": "text",
    "requester": "jsonb",
    "description": "text",
}
_NAMES: Final = ", ".join(COLUMNS)
_TYPED: Final = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
_MAKE: Final = f"""
    drop table if exists floor_tickets;
    create table floor_tickets (account_id uuid, tenant_id text, remote_id text, sequence bigint,
        synced_at timestamptz, deleted_at timestamptz, {_TYPED}, primary key (account_id, remote_id))
"""
_STAGE: Final = f"""
    create temp table staged (remote_id text, sequence bigint, synced_at timestamptz, deleted_at timestamptz, {_TYPED})
        on commit drop
"""
_MERGE: Final = f"""
    insert into floor_tickets as t (account_id, tenant_id, remote_id, sequence, synced_at, deleted_at, {_NAMES})
    select %s, 't', remote_id, sequence, synced_at, deleted_at, {_NAMES} from staged
    on conflict (account_id, remote_id) do update
       set sequence = excluded.sequence, synced_at = excluded.synced_at, deleted_at = excluded.deleted_at,
           {", ".join(f"{name} = excluded.{name}" for name in COLUMNS)}
     where excluded.sequence > t.sequence
"""
READ_LOG: Final = """
    select sequence, remote_id, synced_at, deleted_at, data::text from record
     where integrated_account_id = %s and sequence >= 0 and sequence > %s order by sequence limit %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRun:
    """What one run of a floor came to."""

    records: int
    seconds: float

    @property
    def rate(self) -> float:
        """Return how many records a second were written."""
        return self.records / self.seconds


def run_table_floor(database_url: str, account_id: str, target_url: str) -> FloorRun:
    """Run the floor in a process of its own."""
    command = [sys.executable, "-m", "bench.table_floor", database_url, account_id, target_url]
    done = subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True)
    return FloorRun(**json.loads(done.stdout))


def main() -> None:
    """Measure, and print what it came to."""
    database_url, account_id, target_url = sys.argv[1:]
    with psycopg.connect(database_url) as source, psycopg.connect(target_url) as target:
        target.execute(_MAKE)
        target.commit()
        began = time.perf_counter()
        records = _land(source, target, account_id)
        seconds = time.perf_counter() - began
    print(json.dumps({"records": records, "seconds": seconds}))


def _land(source: psycopg.Connection, target: psycopg.Connection, account_id: str) -> int:
    records, after = 0, 0
    while rows := source.execute(READ_LOG, [account_id, after, BATCH]).fetchall():
        with target.cursor() as cursor:
            cursor.execute(_STAGE)
            with cursor.copy("copy staged from stdin") as copy:
                for sequence, remote_id, synced_at, deleted_at, text in rows:
                    data = orjson.loads(text)
                    values = [show_as(data.get(name), kind) for name, kind in COLUMNS.items()]
                    copy.write_row((remote_id, sequence, synced_at, deleted_at, *values))
            cursor.execute(_MERGE, [account_id])
        target.commit()
        records, after = records + len(rows), rows[-1][0]
    return records


def show_as(value: object, kind: str) -> object:
    """Return a value as a column holds it."""
    return orjson.dumps(value).decode() if kind == "jsonb" and value is not None else value


if __name__ == "__main__":
    main()
