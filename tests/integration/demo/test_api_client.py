"""The API client against a real server."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from app.client import ApiClient, ApiError, open_client
from app.stack.data_directory import DataDirectory

Serve = Callable[[web.Application], str]


async def echo(request: web.Request) -> web.Response:
    body = await request.json() if request.can_read_body else None
    told = {"method": request.method, "path": request.path_qs, "body": body}
    return web.json_response({**told, "token": request.headers.get("Authorization")}, status=201)


async def refuse(_request: web.Request) -> web.Response:
    failures = [{"path": "label", "message": "too long"}, {"path": "resources", "message": "missing"}]
    return web.json_response({"message": "The input is not valid.", "details": {"failures": failures}}, status=400)


async def answer_html(_request: web.Request) -> web.Response:
    return web.Response(text="<h1>Hello</h1>", content_type="text/html")


@pytest.fixture
def url(serve: Serve) -> str:
    app = web.Application()
    app.router.add_get("/html", answer_html)
    app.router.add_post("/refuse", refuse)
    app.router.add_route("*", "/{path:.*}", echo)
    return serve(app)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda api: api.get("/run", {"limit": 5, "status": None}), ("GET", "/run?limit=5", None)),
        (lambda api: api.post("/run", {"é": 1}), ("POST", "/run", {"é": 1})),
        (lambda api: api.post("/run"), ("POST", "/run", None)),
        (lambda api: api.patch("/run/1", {"a": None}), ("PATCH", "/run/1", {"a": None})),
        (lambda api: api.delete("/run/1"), ("DELETE", "/run/1", None)),
    ],
    ids=["get", "post", "post-empty", "patch", "delete"],
)
def test_call_gives_the_json_that_was_answered(
    url: str, call: Callable[[ApiClient], object], told: tuple[object, ...]
) -> None:
    answer = call(ApiClient(f"{url}/", "secret"))

    method, path, body = told
    assert answer == {"method": method, "path": path, "body": body, "token": "Bearer secret"}


def test_refusal_tells_every_failure(url: str) -> None:
    with pytest.raises(
        ApiError, match=r"POST /refuse answered 400: .* \(label: too long; resources: missing\)"
    ) as refusal:
        ApiClient(url).post("/refuse", {})

    assert refusal.value.status == 400


def test_other_than_json_is_told(url: str) -> None:
    with pytest.raises(ApiError, match="GET /html answered 200 with something other than JSON"):
        ApiClient(url).get("/html")


def test_server_that_is_not_there_is_told() -> None:
    with pytest.raises(ApiError, match=r"can not reach the API at http://127\.0\.0\.1:1: .*refused") as failure:
        ApiClient("http://127.0.0.1:1").get("/")

    assert failure.value.status is None


def test_token_that_can_not_be_sent_is_never_shown(url: str) -> None:
    with pytest.raises(ApiError) as failure:
        ApiClient(url, "hidden\nsecret").get("/")

    assert failure.value.message == "GET /: the token or a header can not be sent"


@pytest.mark.parametrize("address", ["", "localhost:8000", "ftp://host", "http://", "http://h:port", "http://[::1"])
def test_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(ApiError, match="is not the address of an API"):
        ApiClient(address)


def test_client_for_reads_the_data_directory(url: str, tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "data")
    data.create()
    data.api_url_file.write_text(f"{url}\n")
    data.token_file.write_text("kept\n")

    with data.lock():
        assert open_client(None, None, data.root).get("/")["token"] == "Bearer kept"
    assert open_client(url, "given", tmp_path / "none").get("/")["token"] == "Bearer given"


def test_copy_of_a_data_directory_leads_to_no_stack_of_another_one(url: str, tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "data")
    data.create()
    data.api_url_file.write_text(f"{url}\n")

    with data.lock():
        copied = shutil.copytree(data.root, tmp_path / "copy")

        with pytest.raises(ApiError, match=r"no stack runs on .*copy"):
            open_client(None, "token", copied)


def test_client_for_tells_when_no_stack_runs(tmp_path: Path) -> None:
    with pytest.raises(ApiError, match="no stack runs on"):
        open_client(None, None, tmp_path)
