"""Every cloud's client against answers that break it: none is taken for a success, and each is named."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from app.destinations.files import google_objects, obstore_objects
from app.destinations.files.google_objects import open_google
from app.destinations.files.obstore_objects import open_azure, open_s3
from app.destinations.files.ports import ObjectStore
from app.engine.errors import DestinationError
from app.net.addresses import AllowedNetworks
from tests.support.http_server import HttpServer, Request, Response
from tests.support.object_servers import AZURE_KEY

_LOCAL: Final = AllowedNetworks.parse("127.0.0.0/8")
_OPEN: Final[dict[str, Callable[[str], ObjectStore]]] = {
    "s3": lambda url: open_s3(
        {"bucket": "b", "base_url": url, "access_key_id": "a", "secret_access_key": "the-secret"}, _LOCAL
    ),
    "azure": lambda url: open_azure(
        {"container": "b", "account_name": "a", "account_key": AZURE_KEY, "base_url": f"{url}/a"}, _LOCAL
    ),
    "google": lambda url: open_google(
        {"bucket": "b", "base_url": url, "credentials": {"type": "service_account"}}, _LOCAL
    ),
}
_XML: Final = {"Content-Type": "application/xml"}
_TIME: Final = "2026-12-01T00:00:00Z"
_PAGE: Final[dict[str, bytes]] = {
    "s3": (
        "<?xml version='1.0'?><ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>next"
        f"</NextContinuationToken><Contents><Key>a/1</Key><Size>1</Size><LastModified>{_TIME}</LastModified>"
        "<ETag>e</ETag></Contents></ListBucketResult>"
    ).encode(),
    "azure": (
        b"<?xml version='1.0'?><EnumerationResults><Blobs><Blob><Name>a/1</Name><Properties>"
        b"<Last-Modified>Tue, 01 Dec 2026 00:00:00 GMT</Last-Modified><Content-Length>1</Content-Length>"
        b"<Etag>e</Etag><Content-Type>t</Content-Type></Properties></Blob></Blobs><NextMarker>next</NextMarker>"
        b"</EnumerationResults>"
    ),
    "google": json.dumps(
        {"kind": "storage#objects", "items": [{"name": "a/1", "size": "1"}], "nextPageToken": "next"}
    ).encode(),
}
_ERROR: Final = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>at https://b/?sig=the-secret</Message></Error>"


def _fail(kind: str, status: int, code: str) -> Response:
    if kind == "google":
        body = json.dumps({"error": {"code": status, "message": "the-secret"}}).encode()
        return Response(status=status, body=body, headers={"Content-Type": "application/json"})
    return Response(status=status, body=_ERROR % code.encode(), headers={**_XML, "x-ms-error-code": code})


def _give(kind: str, content: bytes) -> Response:
    return Response(body=content, headers={"Content-Type": "application/json"} if kind == "google" else _XML)


_ANSWERS: Final[dict[str, tuple[Callable[[str, Request], Response], str]]] = {
    "an error in an answer of 200": (lambda kind, _: _fail(kind, 200, "InternalError"), "target_fails"),
    "half a page": (lambda kind, _: _give(kind, _PAGE[kind][: len(_PAGE[kind]) // 2]), "target_fails"),
    "no page at all": (lambda _kind, _: Response(body=b"", headers=_XML), "target_fails"),
    "the page of a proxy": (lambda _kind, _: Response(body=b"<html>sign in</html>"), "target_fails"),
    "a second page that fails": (
        lambda kind, asked: _fail(kind, 503, "ServerBusy") if "next" in asked.target else _give(kind, _PAGE[kind]),
        "target_busy",
    ),
    "half a second page": (
        lambda kind, asked: Response(
            body=_PAGE[kind][: len(_PAGE[kind]) // 2 if "next" in asked.target else None], headers=_XML
        ),
        "target_fails",
    ),
    "busy": (lambda kind, _: _fail(kind, 503, "ServerBusy"), "target_busy"),
    "broken": (lambda kind, _: _fail(kind, 500, "InternalError"), "target_fails"),
    "refused": (lambda kind, _: _fail(kind, 403, "AuthenticationFailed"), "wrong_credentials"),
    "not known": (lambda kind, _: _fail(kind, 401, "NoAuthenticationInformation"), "wrong_credentials"),
    "no bucket": (
        lambda kind, _: _fail(kind, 404, "NoSuchBucket" if kind == "s3" else "ContainerNotFound"),
        "no_bucket",
    ),
}
_READ_AS_EMPTY: Final = frozenset({("s3", "an error in an answer of 200"), ("s3", "the page of a proxy")})
"""obstore reads any XML as a listing: FilesWriter knows an object that each listing has to show."""
_LISTINGS: Final = frozenset(
    {"half a page", "no page at all", "the page of a proxy", "a second page that fails", "half a second page"}
)


@pytest.mark.parametrize("kind", _OPEN)
@pytest.mark.parametrize("answer", _ANSWERS)
def test_no_answer_of_a_store_is_taken_for_a_success(kind: str, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obstore_objects, "_RETRIES", {"max_retries": 0})
    monkeypatch.setattr(google_objects, "_TIMEOUT_SECONDS", (2.0, 2.0))
    respond, code = _ANSWERS[answer]
    server = HttpServer(lambda asked: respond(kind, asked))
    calls: dict[str, Callable[[ObjectStore], Any]] = {"list": lambda store: list(store.list("a"))}
    if answer not in _LISTINGS:
        calls |= {"put": lambda store: store.put("a/1", b"x"), "delete": lambda store: store.delete(["a/1", "a/2"])}
    if (kind, answer) in _READ_AS_EMPTY:
        del calls["list"]
    if kind == "google" and answer in ("no bucket", "an error in an answer of 200"):
        del calls["delete"]  # What is not there need not be removed, and Google's answers of 200 have no body.
    found = {}
    try:
        for name, call in calls.items():
            store = _OPEN[kind](server.url)
            try:
                found[name] = repr(call(store))
            except DestinationError as error:
                found[name] = error.code
                assert "the-secret" not in error.message
    finally:
        server.close()

    assert found == dict.fromkeys(calls, code)
