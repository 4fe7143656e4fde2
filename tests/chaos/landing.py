"""Destinations under fire: what has landed is read back at every target, and compared with Postgres by content."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import duckdb

from app.destinations.files.obstore_objects import open_s3
from app.destinations.files.prefixed_objects import PrefixedObjects
from app.engine.ids import new_id
from app.engine.json_types import JSON, JsonObject
from app.net.addresses import AllowedNetworks
from tests.chaos.arena import Round
from tests.chaos.sync_under_fire import SyncUnderFire, assert_none
from tests.support.http_faults import HttpFaults, running_faults
from tests.support.lake import copy_store, read_lake
from tests.support.object_servers import running_moto
from tests.support.patience import wait_for
from tests.support.target import TargetDatabase, TargetServer, fresh_target, running_target

_RESOURCES: Final = ("parents", "children")
_STORED: Final = """
    select resource, remote_id, sequence, data from record where integrated_account_id = %s and deleted_at is null
"""
_PASSED: Final = """
    select c.destination_id::text from destination_cursor c
      join account_log l on l.integrated_account_id = c.integrated_account_id and c.cursor >= l.last_sequence
     where c.integrated_account_id = %s
"""
_TABLES: Final = "select resource, schema_name, table_name from ferryman._ferryman_table where is_made"
_NOW: Final = "select remote_id, sequence, to_jsonb(t) - 'remote_id' - 'sequence' from {} t where deleted_at is null"
_FORGET: Final = "delete from destination"

Rows = Mapping[tuple[str, str], tuple[int, JSON]]
"""By resource and id: the number of the last change, and the record."""


@dataclass(frozen=True, slots=True)
class LandingUnderFire:
    """Three destinations of a round's daemon run: tables in Postgres, files, and a file of DuckDB."""

    round: Round
    run: SyncUnderFire
    server: TargetServer
    database: TargetDatabase
    place: Path
    """Where files are, below the directory of the daemons."""
    store: Mapping[str, Any] | None
    """The object store that files are in; None: a folder."""
    prefix: str
    ids: list[str]

    def wait_for_rows(self) -> None:
        """Wait until every target has been written to."""
        query = (
            "select destination_id::text from destination_cursor where destination_id::text = any(%s) and cursor > 0"
        )
        wait_for(lambda: len(self.round.arena.fetch(query, self.ids)) == len(self.ids), what="rows at each target")

    def kill_target(self) -> None:
        """Kill the target's server, and wait until it is there again."""
        pid = self.server.child.pid
        self.server.child.kill()
        self.round.kills += 1
        self.round.story.append("killed the target")
        wait_for(lambda: self.server.child.pid not in {None, pid} and self.server.answers(), what="the target again")

    def compare(self) -> None:
        """Assert that every target has each record once, as it is in Postgres."""
        account = self.run.sync.account_id
        wait_for(
            lambda: set(self.ids) <= {id for (id,) in self.round.arena.fetch(_PASSED, account)},
            what=f"the end of the log at each target: {self._errors()}",
        )
        stored = {(resource, id): (n, data) for resource, id, n, data in self.round.arena.fetch(_STORED, account)}
        for name, rows in (("postgres", self._tables()), ("files", self._files()), ("duckdb", self._duckdb())):
            assert_none(f"held by one side only ({name})", stored.keys() ^ rows.keys())
            assert_none(f"held wrong ({name})", [key for key, row in rows.items() if row != stored[key]])
        self.round.arena.fetch(f"{_FORGET} returning id")

    def _errors(self) -> list[tuple[Any, ...]]:
        return self.round.arena.fetch("select destination_id::text, error_code, last_error from destination_cursor")

    def _tables(self) -> Rows:
        found: dict[tuple[str, str], tuple[int, JSON]] = {}
        for resource, *names in self.database.rows(_TABLES):
            _add(found, resource, self.database.rows(_NOW.format(".".join(f'"{name}"' for name in names))))
        return found

    def _files(self) -> Rows:
        folder = self.place / "lake"
        if self.store is not None:
            objects = open_s3({**self.store}, AllowedNetworks.parse("127.0.0.0/8"))
            folder = copy_store(PrefixedObjects(objects, self.prefix), self.place / "copy")
        found: dict[tuple[str, str], tuple[int, JSON]] = {}
        for resource in _RESOURCES:
            (table,) = {path.relative_to(folder).parts[0] for path in folder.glob(f"*/{resource}")}
            rows = read_lake(folder, table=f"{table}/{resource}")
            _add(found, resource, [(row["remote_id"], row["sequence"], json.loads(row["data"])) for row in rows])
        return found

    def _duckdb(self) -> Rows:
        found: dict[tuple[str, str], tuple[int, JSON]] = {}
        with duckdb.connect(str(self.place / "records.duckdb"), read_only=True) as connection:
            tables = connection.execute(
                "select table_schema, table_name from information_schema.tables"
                " where table_name in ('parents', 'children')"
            ).fetchall()
            for schema, name in tables:
                rows = connection.execute(
                    f'select remote_id, sequence, id, digest, words from "{schema}"."{name}" where deleted_at is null'
                ).fetchall()
                _add(
                    found,
                    name,
                    [(key, n, {"id": id, "digest": d, "words": json.loads(words)}) for key, n, id, d, words in rows],
                )
        return found


def _add(found: dict[tuple[str, str], tuple[int, JSON]], resource: str, rows: list[tuple[Any, ...]]) -> None:
    for remote_id, sequence, data in rows:
        assert (resource, remote_id) not in found, f"{resource} {remote_id} is held twice"
        record = {name: data[name] for name in ("id", "digest", "words")}
        found[(resource, remote_id)] = (int(sequence), record)


def land(round: Round, store: Mapping[str, Any] | None = None) -> LandingUnderFire:
    """Have the round's daemon run land at three targets from now on, until it is compared at the round's end."""
    run, name, prefix = round.runs[0], f"round-{new_id()}", f"rounds/{new_id()}"
    directory = Path(round.ends.enter_context(tempfile.TemporaryDirectory(prefix="ferryman-test-")))
    server = round.ends.enter_context(running_target(directory))
    database = round.ends.enter_context(fresh_target(server))
    files: JsonObject = {"type": "filesystem", "config": {"path": f"{name}/lake"}}
    if store is not None:
        files = {"type": "s3", "config": {**store, "prefix": prefix}}
    made = [
        _create(run, {"type": "postgres", "config": database.config}),
        _create(run, files),
        _create(run, {"type": "duckdb", "config": {"path": f"{name}/records"}}, daemon_group_key="default"),
    ]
    landing = LandingUnderFire(
        round=round,
        run=run,
        server=server,
        database=database,
        place=round.arena.lake / name,
        store=store,
        prefix=prefix,
        ids=made,
    )
    round.ends.callback(landing.compare)
    return landing


def land_through_faults(round: Round) -> tuple[LandingUnderFire, HttpFaults]:
    """As ``land``, with files in an object store behind a proxy that fails."""
    moto = round.ends.enter_context(running_moto())
    url = urlsplit(moto["base_url"])
    proxy = round.ends.enter_context(running_faults(str(url.hostname), int(url.port or 0)))
    return land(round, {**moto, "base_url": proxy.url}), proxy


def _create(run: SyncUnderFire, datastore: JsonObject, **fields: JSON) -> str:
    api = run.sync.api
    body = {"datastore_id": api.post("/datastore", datastore)["id"], "integrated_account_id": run.sync.account_id}
    return str(api.post("/destination", {**body, **fields})["id"])
