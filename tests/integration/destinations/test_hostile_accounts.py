"""An account as strange as they come lands whole at every type of destination, and each one's books say what became."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.engine.ids import new_id
from app.engine.json_types import JSON
from tests.support.landing import Landing
from tests.support.object_servers import running_fake_google, running_rclone
from tests.support.target import TargetDatabase

_RESOURCES = (
    *(
        "tickets",
        "Tickets",
        "tickets!",
        "select",
        '"; drop schema acme cascade; --',
        "a/../b",
        "..",
        "%s %(x)s",
        "x" * 200,
    ),
    *("\U0001f980" * 100, "\u00fcber\tfl\u00fc\u00dfig\n", "y" * 199 + "1", "y" * 199 + "2"),
)
_TENANT = "../\u00e9'\"%; " + "t" * 180
_VALUES: dict[str, JSON] = {
    "1": {"a": 1, "A": "one", "a ": [1, [2, {"x": None}]], "": "no name", "select": True, "account_id": "mine"},
    "'; --": {"n": 2**80, "f": 1e308, "small": 5e-324, "t": "\u2028\\N\\.\t\r\n'\"", "k" * 200: 1, "\U0001f980": {}},
    "x" * 500: {"a": "2026-01-01", "f": "not a number", "n": None, "deep": [[[[[[[[[[{}]]]]]]]]]]},
    "list": [1, 2, 3],
    "text": "only a text",
    "number": 7,
    "empty": {},
}


@pytest.fixture
def landing(database_url: str, tmp_path: Path) -> Iterator[Landing]:
    place = Landing(database_url, {"destination_directory": str(tmp_path)})
    yield place
    place.close()


@pytest.fixture(scope="module")
def stores() -> Iterator[dict[str, Any]]:
    with running_rclone() as s3, running_fake_google() as google:
        yield {"s3": s3, "google_cloud_storage": google}


def _make(landing: Landing, kind: str, target: TargetDatabase, stores: dict[str, Any], **fields: Any) -> str:
    on_disk = {"filesystem": {"path": "lake"}, "duckdb": {"path": "lake"}, "postgres": target.config}
    config = on_disk.get(kind) or {**stores[kind], "prefix": new_id()}
    body: dict[str, Any] = {"datastore_id": landing.datastore(config, kind), **fields}
    if kind == "duckdb":
        body["daemon_group_key"] = "default"
    return landing.api.landing.destinations.create(landing.environment, body).destination.id


@pytest.mark.parametrize(
    ("kind", "layout"),
    [
        *(("postgres", "shared"), ("postgres", "tenant"), ("duckdb", "shared"), ("duckdb", "tenant")),
        *(("filesystem", "shared"), ("filesystem", "tenant"), ("s3", "shared"), ("google_cloud_storage", "shared")),
    ],
)
def test_everything_lands_once_and_the_books_say_what_became_of_it(
    landing: Landing, target: TargetDatabase, stores: dict[str, Any], kind: str, layout: str
) -> None:
    account = landing.account(_TENANT)
    for number, resource in enumerate(_RESOURCES):
        landing.write(account, _VALUES if number == 0 else {"1": {"n": number}}, resource=resource)
    landing.write(account, {"gone": {"n": 1}})
    landing.write(account, {"gone": {"n": 1}}, deleted=True)
    landing.write(account, {"1": {"n": 1}}, resource="unwanted")
    wanted = [*_RESOURCES]
    destination = _make(landing, kind, target, stores, layout=layout, resources=wanted)
    landing.land()
    services = landing.api.landing.destinations
    first = services.get(landing.environment, destination).progress

    with landing.engine.begin() as connection:
        connection.execute(text("update resource_schema set policy = 'freeze' where resource = 'tickets'"))
    landing.write(account, {"new": {"unheard-of": 1}})
    landing.land()
    second = services.get(landing.environment, destination).progress
    services.backfill(landing.environment, destination, from_sequence=1)
    landing.land()
    third = services.get(landing.environment, destination).progress

    count = len(_RESOURCES) - 1 + len(_VALUES) + 1
    assert (first.read, first.written, first.quarantined, first.filtered) == (count + 1, count, 0, 1)
    assert (second.read, second.quarantined, second.filtered) == (count + 2, 1, 1)
    assert third.read == third.written + third.unchanged + third.quarantined + third.filtered == count + 2
    # What is no object fits no frozen schema.
    assert (third.quarantined, third.filtered, third.lag_records) == (4, 1, 0)
    # Files are written again beside the old ones; tables hold it all already.
    assert third.unchanged == (count - 3 if kind in ("postgres", "duckdb") else 0)
    found = landing.verify(destination)
    assert found.is_equal, found.differences
    assert found.compared == count - 3


def test_a_role_with_settings_of_its_own_changes_nothing(landing: Landing, target: TargetDatabase) -> None:
    owner = target.config["user"]
    settings = {
        "search_path": "mine", "client_encoding": "latin1", "datestyle": "'SQL, DMY'", "timezone": "'Asia/Kathmandu'",
        "statement_timeout": "'10min'", "default_transaction_isolation": "serializable", "extra_float_digits": "-15",
    }  # fmt: skip
    target.execute(f"create schema mine authorization {owner}; create table mine._ferryman_in_0 (nothing int)")
    for name, setting in settings.items():
        target.execute(f"alter role {owner} in database {target.name} set {name} = {setting}")
    account = landing.account()
    value: dict[str, JSON] = {"name": "\u0142\u00f3d\u017a \U0001f980", "at": "2026-02-03T04:05:06+01:00", "price": 0.1}
    landing.write(account, {"1": value})
    destination = landing.destination(target.config)

    landing.land()

    assert target.rows("select name, price::text from acme.tickets") == [(value["name"], "0.1")]
    assert landing.verify(destination).is_equal


def test_a_record_with_more_values_than_a_row_holds_lands_once_columns_are_ignored_and_somebody_asks(
    landing: Landing, target: TargetDatabase
) -> None:
    account, services = landing.account(), landing.api.landing.destinations
    landing.write(account, {"wide": {f"key_{number}": "some thirty characters of text" for number in range(900)}})
    destination = landing.destination(target.config)
    landing.land()
    (left_out,) = services.list_quarantined(landing.environment, destination, cursor=None, limit=10).result

    with landing.engine.begin() as connection:
        connection.execute(text(_IGNORE))
    services.backfill(landing.environment, destination, from_sequence=0, quarantined=True)
    landing.land()

    assert "larger than a row" in left_out.reason
    assert target.rows("select remote_id from acme.tickets") == [("wide",)]
    assert landing.rows("select * from destination_quarantine") == []
    assert landing.verify(destination).is_equal


_IGNORE = """
    update resource_schema set columns = (
        select jsonb_agg(case when number > 200 then one || '{"is_ignored": true}' else one end order by number)
          from jsonb_array_elements(columns) with ordinality as each (one, number))
"""
