"""A store that is busy, hangs, or whose answers are lost: nothing is lost or doubled, and the fault is named."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.destinations.files import google_objects, obstore_objects
from app.destinations.files.google_objects import open_google
from app.destinations.files.obstore_objects import open_s3
from app.destinations.files.prefixed_objects import PrefixedObjects
from app.engine.errors import DestinationError
from app.engine.ids import new_id
from app.net.addresses import AllowedNetworks
from tests.support.http_faults import HttpFaults, running_faults
from tests.support.lake import copy_store, read_lake, show, stored
from tests.support.landing import Landing
from tests.support.object_servers import running_fake_google, running_moto

LOCAL = AllowedNetworks.parse("127.0.0.0/8")


@pytest.fixture(scope="module")
def moto() -> Iterator[dict[str, Any]]:
    with running_moto() as config:
        yield config


@pytest.fixture(scope="module")
def google() -> Iterator[dict[str, Any]]:
    with running_fake_google() as config:
        yield config


@pytest.fixture
def faults(moto: dict[str, Any]) -> Iterator[HttpFaults]:
    url = urlsplit(moto["base_url"])
    with running_faults(str(url.hostname), int(url.port or 0)) as proxy:
        yield proxy


@pytest.fixture
def landing(database_url: str) -> Iterator[Landing]:
    place = Landing(database_url)
    yield place
    place.close()


def test_ranges_arrive_once_through_all_faults(
    landing: Landing, moto: dict[str, Any], faults: HttpFaults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(obstore_objects, "_REQUEST", timedelta(seconds=2))
    monkeypatch.setattr(obstore_objects, "_RETRIES", {"max_retries": 0})
    config = {**moto, "base_url": faults.url, "prefix": f"tests/{new_id()}"}
    body = {"datastore_id": landing.datastore(config, "s3"), "mode": "append"}
    landing.api.landing.destinations.create(landing.environment, body)
    account = landing.account()
    codes = set()
    for number, fault in enumerate(["busy", "lose", "hang", "lose", "busy"]):
        landing.write(account, {"same": {"n": number}, str(number): {"n": number}})
        faults.faults += [fault] * 2
        for _ in range(6):
            landing.land(may_fail=True)
            codes |= {row["error_code"] for row in landing.rows("select error_code from destination_cursor")}
            landing.pass_time()

    landing.land()

    assert faults.met >= 5
    assert codes >= {"target_busy"}
    store = PrefixedObjects(open_s3(moto, LOCAL), config["prefix"])
    assert show(read_lake(copy_store(store, tmp_path / "lake"))) == stored(landing)


@pytest.mark.parametrize(("fault", "code"), [("busy", "target_busy"), ("hang", "target_slow")])
def test_faults_of_google_are_named(
    google: dict[str, Any], fault: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_objects, "_TIMEOUT_SECONDS", (1.0, 1.0))
    url = urlsplit(google["base_url"])
    with running_faults(str(url.hostname), int(url.port or 0)) as proxy:
        proxy.faults += [fault] * 10
        with pytest.raises(DestinationError) as refused:
            open_google({**google, "base_url": proxy.url}, LOCAL).put("a", b"x")

    assert (refused.value.code, refused.value.is_final) == (code, False)
