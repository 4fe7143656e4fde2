"""A proxy of one's own asks for many clients: it is believed, and its connections are not counted together."""

import http.client
import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from app.stack.stack import Stack
from tests.integration.serving.test_slow_clients import HEAD, is_closed
from tests.support.patience import LONGEST_SECONDS

PROXY = "127.0.0.9"
VIA = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/ferryman"}
MANY = 150
"""More than two worker processes let one address have of unfinished requests."""


@pytest.fixture
def connect(ferryman: Stack) -> Callable[[str], http.client.HTTPConnection]:
    """Connect from an address of this machine."""
    url = urlsplit(ferryman.api_url)

    def connected(source: str) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(
            str(url.hostname), url.port, timeout=LONGEST_SECONDS, source_address=(source, 0)
        )

    return connected


@pytest.mark.parametrize(
    ("source", "headers", "url"),
    [
        (PROXY, {**VIA, "X-Forwarded-Host": "api.example.com"}, "https://api.example.com/ferryman"),
        (PROXY, {"Forwarded": "for=192.0.2.7;proto=https;host=api.example.com"}, "https://api.example.com"),
        ("127.0.0.1", {**VIA, "Host": "here"}, "http://here"),
        ("127.0.0.1", {"SCRIPT_NAME": "/evil", "Host": "here"}, "http://here"),
    ],
    ids=["usual", "standard", "stranger", "gunicorn's own"],
)
def test_server_believes_its_proxy_alone(
    connect: Callable[[str], http.client.HTTPConnection], source: str, headers: dict[str, str], url: str
) -> None:
    connection = connect(source)
    connection.request("GET", "/openapi.json", headers=headers)
    document = json.loads(connection.getresponse().read())
    connection.close()

    assert [server["url"] for server in document["servers"]] == [url]


def test_requests_of_a_proxy_do_not_end_each_other(connect: Callable[[str], http.client.HTTPConnection]) -> None:
    opened = [connect(PROXY) for _ in range(MANY)]
    try:
        for connection in opened:
            connection.connect()
            connection.sock.sendall(HEAD)
        for _ in range(4):
            asking = connect(PROXY)
            asking.request("GET", "/ping")
            assert asking.getresponse().status == 401
            asking.close()

        assert not any(is_closed(connection.sock) for connection in opened)
    finally:
        for connection in opened:
            connection.close()
