"""Files in stores hold what Postgres holds: read back by their manifest, by DuckDB, and compared by content."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from app import failpoints
from app.destinations.files.google_objects import open_google
from app.destinations.files.local_objects import LocalObjects
from app.destinations.files.obstore_objects import open_s3
from app.destinations.files.ports import ObjectStore
from app.destinations.files.prefixed_objects import PrefixedObjects
from app.engine.errors import InvalidInputError
from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.net.addresses import AllowedNetworks
from tests.support.lake import copy_store, read_lake, show, stored
from tests.support.landing import Landing
from tests.support.object_servers import running_fake_google, running_moto, running_rclone
from tests.support.pump_database import KilledError

LOCAL = AllowedNetworks.parse("127.0.0.0/8")
SERVERS = {"moto": running_moto, "rclone": running_rclone, "google": running_fake_google}


class Lake:
    """A place for files, and the destination's side of it."""

    def __init__(self, type: str, config: JsonObject, store: ObjectStore, folder: Path) -> None:
        self.type, self.config, self.store, self._folder = type, config, store, folder

    def destination(self, landing: Landing, **fields: Any) -> str:
        datastore_id = landing.datastore(self.config, self.type)
        body = {"datastore_id": datastore_id, **fields}
        return landing.api.landing.destinations.create(landing.environment, body).destination.id

    def read(self, **options: Any) -> list[dict[str, Any]]:
        return read_lake(copy_store(self.store, self._folder / new_id()), **options)

    def names(self, folder: str = "acme") -> list[str]:
        return sorted(found.name for found in self.store.list(folder))


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], JsonObject]]:
    """The config of a server, which is started once."""
    configs: dict[str, JsonObject] = {}
    with ExitStack() as running:

        def start(name: str) -> JsonObject:
            if name not in configs:
                configs[name] = running.enter_context(SERVERS[name]())
            return configs[name]

        yield start


@pytest.fixture
def landing(database_url: str, tmp_path: Path) -> Iterator[Landing]:
    place = Landing(database_url, {"destination_directory": str(tmp_path / "directory")})
    yield place
    place.close()


@pytest.fixture
def folder(tmp_path: Path) -> Lake:
    return Lake("filesystem", {"path": "lake"}, LocalObjects(tmp_path / "directory" / "lake"), tmp_path)


@pytest.fixture(params=["filesystem", *SERVERS])
def lake(request: pytest.FixtureRequest, folder: Lake, servers: Callable[[str], JsonObject], tmp_path: Path) -> Lake:
    if request.param == "filesystem":
        return folder
    config = {**servers(request.param), "prefix": f"tests/{new_id()}"}
    is_google = request.param == "google"
    store = (open_google if is_google else open_s3)(config, LOCAL)
    kind = "google_cloud_storage" if is_google else "s3"
    return Lake(kind, config, PrefixedObjects(store, config["prefix"]), tmp_path)


def test_files_hold_what_postgres_holds_through_changes_deletes_and_new_columns(landing: Landing, lake: Lake) -> None:
    destination = lake.destination(landing)
    accounts = [landing.account(tenant) for tenant in ("t 1", "t2")]
    for account in accounts:
        landing.write(account, {"1": {"n": 1, "name": "é"}, "2": {"n": 2**70}, "3": ["no object"]})
    landing.land()
    landing.write(accounts[0], {"1": {"n": "text", "added": True}, "4": {"n": 4, "deep": {"a": [1]}}})
    landing.write(accounts[1], {"2": {}}, deleted=True)
    landing.write(accounts[1], {"1": {"id": 1}}, resource="users")

    landing.land()

    rows = lake.read()
    assert show(rows) == stored(landing)
    assert [row["added"] for row in rows if row["remote_id"] == "1" and row["tenant_id"] == "t 1"] == [True]
    assert {row["n__text"] for row in rows} >= {"text"}
    assert landing.verify(destination).is_equal
    assert any("/tenant_id=t%201/date=" in name for name in lake.names("acme/tickets"))
    assert len(lake.names("acme/users")) == 1


def test_a_daemon_that_dies_between_put_and_cursor_leaves_nothing_doubled(
    landing: Landing, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.destination(landing, mode="append")
    account = landing.account()
    landing.write(account, {"1": {"n": 1}, "2": {"n": 2}})
    left = [1]

    def die(_: object) -> None:
        if left:
            left.pop()
            raise KilledError

    monkeypatch.setattr(failpoints, "hit", die)
    with pytest.raises(KilledError):
        landing.land()
    before = lake.names()
    landing.write(account, {"3": {"n": 3}})

    landing.pass_time()
    landing.land()

    assert set(before) < set(lake.names())
    assert len(lake.names()) == 2
    assert show(lake.read()) == stored(landing)


def test_small_files_are_merged_and_removed_after_the_grace_time(landing: Landing, lake: Lake) -> None:
    destination = lake.destination(landing, options={"compact_files": 3, "grace_seconds": 0})
    account = landing.account()
    for number in range(8):
        landing.write(account, {"same": {"n": number}, f"own-{number}": {f"column_{number}": number}})
        landing.land()
        assert show(lake.read()) == stored(landing)

    names = lake.names()
    assert [name for name in names if name.endswith("-c.parquet")]
    assert len(names) <= 3
    assert len(lake.names("_ferryman/acme")) == len(names)
    assert landing.verify(destination).is_equal


def test_files_stay_until_the_grace_time_is_over(landing: Landing, folder: Lake) -> None:
    folder.destination(landing, options={"compact_files": 2, "grace_seconds": 1000})
    account = landing.account()
    for number in range(3):
        landing.write(account, {"same": {"n": number}})
        landing.land()

    assert len(folder.names()) == 4
    assert show(folder.read()) == stored(landing)


def test_hard_deletes_are_gone_once_all_is_merged(landing: Landing, folder: Lake) -> None:
    folder.destination(landing, deletes="hard", options={"compact_files": 2, "grace_seconds": 0})
    account = landing.account()
    landing.write(account, {"1": {"n": 1}, "2": {"n": 2}})
    landing.land()
    landing.write(account, {"1": {}}, deleted=True)
    landing.land()

    assert [row["remote_id"] for row in folder.read()] == ["2"]


@pytest.mark.parametrize(
    "options",
    [
        {"format": "jsonl"},
        {"format": "csv"},
        {"format": "jsonl", "compression": "zstd"},
        {"format": "csv", "compression": "gzip"},
    ],
    ids=str,
)
def test_lines_hold_all_keys(landing: Landing, folder: Lake, options: JsonObject) -> None:
    destination = folder.destination(landing, options={**options, "folders": []})
    account = landing.account()
    landing.write(account, {"1": {"n": 1}, 'a,"b"\n': {"n": "x\ny"}})

    landing.land()

    (name,) = folder.names()
    assert name.startswith(f"acme/tickets/{account}-0-")
    assert landing.verify(destination).is_equal


def test_a_backfill_takes_the_place_of_what_was_there(landing: Landing, folder: Lake) -> None:
    destination = folder.destination(landing, mode="append", options={"grace_seconds": 0})
    account = landing.account()
    for number in range(3):
        landing.write(account, {str(number): {"n": number}})
        landing.land()

    landing.api.landing.destinations.backfill(landing.environment, destination, from_sequence=0)
    landing.land()
    landing.write(account, {"9": {"n": 9}})
    landing.land()

    assert show(folder.read()) == stored(landing)
    assert all("-1-0" in name for name in folder.names())


def test_erasing_reaches_files_that_no_manifest_names(landing: Landing, lake: Lake) -> None:
    lake.destination(landing)
    kept, gone = landing.account(), landing.account()
    for account in (kept, gone):
        landing.write(account, {"1": {"n": 1}})
        landing.write(account, {"1": {"n": 1}}, resource="users")
    landing.land()
    lake.store.put(f"acme/tickets/tenant_id=t/date=2026-01-01/{gone}-0-{1:020}-{1:020}.parquet", b"lost")

    landing.erase(gone, "users")
    of_users = lake.names("acme/users")
    landing.erase(gone, None)

    assert [name for name in of_users if gone in name] == []
    assert [name for name in [*lake.names(), *lake.names("_ferryman")] if gone in name] == []
    assert show(lake.read()) == [row for row in stored(landing) if row["account_id"] == kept]


def test_a_layout_by_tenant_has_folders_of_each(landing: Landing, folder: Lake) -> None:
    folder.destination(landing, layout="tenant", options={"folders": ["tenant_id"]})
    for tenant in ("a", "b/c"):
        landing.write(landing.account(tenant), {"1": {"n": 1}})
    landing.land()

    names = folder.names("")
    assert [name.split("/")[:3] for name in names if name.startswith("tenant_id")] == [
        ["tenant_id=a", "acme", "tickets"],
        ["tenant_id=b%2Fc", "acme", "tickets"],
    ]


def test_a_second_destination_on_the_same_place_is_refused(landing: Landing, folder: Lake) -> None:
    folder.destination(landing)
    second = folder.destination(landing)
    landing.write(landing.account(), {"1": {"n": 1}})

    landing.land(may_fail=True)

    codes = [row["error_code"] for row in landing.rows("select error_code from destination_cursor")]
    assert sorted(str(code) for code in codes) == ["None", "place_taken"]
    assert second


def test_a_target_that_lost_everything_is_filled_again(landing: Landing, folder: Lake) -> None:
    folder.destination(landing)
    account = landing.account()
    landing.write(account, {"1": {"n": 1}, "2": {"n": 2}})
    landing.land()
    folder.store.delete(folder.names(""))
    landing.write(account, {"3": {"n": 3}})

    landing.land()

    assert show(folder.read()) == stored(landing)


def test_test_says_what_a_store_does(landing: Landing, lake: Lake) -> None:
    datastore = landing.datastore(lake.config, lake.type)

    facts = landing.api.landing.datastores.test(landing.environment, datastore)

    assert facts["writes"] is True
    assert lake.names("") == []


def test_options_are_checked_with_all_faults_at_once(landing: Landing, folder: Lake) -> None:
    wrong = {"format": "xls", "folders": ["month"], "compact_files": 1, "grace_seconds": -1, "none": 1}

    with pytest.raises(InvalidInputError) as refused:
        folder.destination(landing, options=wrong)

    assert sorted(failure.path for failure in refused.value.failures) == sorted(f"options.{name}" for name in wrong)
