"""A store that is busy, hangs, or whose answers are lost: nothing is lost or doubled, and the fault is named."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.bootstrap.shared import SystemClock
from app.destinations.files import google_objects, names, obstore_objects
from app.destinations.files.google_objects import open_google
from app.destinations.files.local_objects import LocalObjects
from app.destinations.files.obstore_objects import open_s3
from app.destinations.files.ports import StoredObject
from app.destinations.files.prefixed_objects import PrefixedObjects
from app.destinations.files.writer import FilesWriter
from app.engine.destinations.file_options import FileChoices
from app.engine.errors import DestinationError
from app.engine.ids import new_id
from app.engine.objects.destinations import DatastoreType
from app.net.addresses import AllowedNetworks
from app.services.destinations.ports import Target
from tests.support.http_faults import HttpFaults, running_faults
from tests.support.http_server import HttpServer, Request, Response
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


_ERROR = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"
_BEGUN = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
_LARGE = b"x" * 12_000_000


def _fail_in_the_body(request: Request) -> Response:
    """Answer as S3 does when something breaks after it has begun to answer: 200, and an error in the body."""
    if request.headers.get("X-Part") or "partNumber" in request.query:
        return Response(headers={"ETag": '"part"'})
    if request.method == "POST" and "uploads" in request.target and "uploadId" not in request.target:
        return Response(body=_BEGUN)
    return Response(body=_ERROR, headers={"Content-Type": "application/xml"})


@pytest.mark.parametrize("content", [b"small", _LARGE], ids=["small", "in parts"])
@pytest.mark.parametrize("kind", ["s3", "google"])
def test_an_error_in_an_answer_of_200_is_no_success(kind: str, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obstore_objects, "_RETRIES", {"max_retries": 0})
    server = HttpServer(_fail_in_the_body)
    try:
        config = {"bucket": "b", "base_url": server.url, "access_key_id": "a", "secret_access_key": "b"}
        google = {"bucket": "b", "base_url": server.url, "credentials": {"type": "service_account"}}
        store = open_s3(config, LOCAL) if kind == "s3" else open_google(google, LOCAL)
        with pytest.raises(DestinationError) as refused:
            store.put("a", content)
    finally:
        server.close()

    assert (refused.value.code, refused.value.is_final) == ("target_fails", False)


class _Blind(LocalObjects):
    """A folder whose listings are empty, as those of a store are whose error reads as one."""

    def list(self, folder: str) -> Iterator[StoredObject]:
        yield from ()


def test_a_listing_that_is_an_error_is_not_believed(tmp_path: Path) -> None:
    target = Target(
        destination_id="d", environment_id="e", environment_name="", type=DatastoreType.FILESYSTEM, config={}
    )
    LocalObjects(tmp_path).put(names.OWNER, b"{}")
    writer = FilesWriter(_Blind(tmp_path), target, FileChoices(), SystemClock())

    for ask in (lambda: writer.erase("a", "t", None), lambda: list(writer.read_held("a", "t", "tickets"))):
        with pytest.raises(DestinationError) as refused:
            ask()
        assert (refused.value.code, refused.value.is_final) == ("target_fails", False)


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_credentials_of_google_are_told_before_the_first_record(landing: Landing, status: int) -> None:
    asked: list[str] = []

    def refuse(request: Request) -> Response:
        asked.append(request.method)
        body = b'{"error": {"code": %d, "message": "key-of-the-account is not valid"}}' % status
        return Response(status=status, body=body, headers={"Content-Type": "application/json"})

    server = HttpServer(refuse)
    try:
        config = {"bucket": "b", "base_url": server.url, "credentials": {"type": "service_account"}}
        datastore = landing.datastore(config, "google_cloud_storage")
        made = landing.api.landing.destinations.create(landing.environment, {"datastore_id": datastore})
        with pytest.raises(DestinationError) as refused:
            landing.api.landing.datastores.test(landing.environment, datastore)
        asked.clear()
        landing.write(landing.account(), {"1": {"n": 1}})
        landing.land(may_fail=True)
    finally:
        server.close()

    (cursor,) = landing.cursors(made.destination.id)
    assert (refused.value.code, cursor.error_code, cursor.cursor) == ("wrong_credentials", "wrong_credentials", 0)
    assert "refuses the credentials" in cursor.last_error
    assert "key-of-the-account" not in cursor.last_error + refused.value.message
    assert set(asked) == {"GET"}
