"""A reverse proxy that has a server below a path of its own, as an ingress or nginx has."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Final
from urllib.parse import urlsplit

from tests.support.http_server import HttpServer, Request, Response

_OF_ONE_CONNECTION: Final = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})


@contextmanager
def prefix_proxy(upstream: str, prefix: str) -> Iterator[str]:
    """Serve what is at an address below a prefix; yield the address of that."""
    own: list[str] = []

    def answer(request: Request) -> Response:
        if not request.target.startswith(f"{prefix}/"):
            return Response(status=404)
        return _pass_on(request, upstream, prefix, host=urlsplit(own[0]).netloc)

    server = HttpServer(answer)
    own.append(server.url)
    try:
        yield f"{server.url}{prefix}"
    finally:
        server.close()


def _pass_on(request: Request, upstream: str, prefix: str, *, host: str) -> Response:
    told = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Host": host, "X-Forwarded-Prefix": prefix}
    connection = HTTPConnection(urlsplit(upstream).netloc, timeout=30)
    try:
        connection.request(
            request.method,
            request.target.removeprefix(prefix),
            request.body or None,
            {**_end_to_end(request.headers), "X-Forwarded-Proto": "http", **told},
        )
        answer = connection.getresponse()
        return Response(status=answer.status, body=answer.read(), headers=_end_to_end(dict(answer.getheaders())))
    finally:
        connection.close()


def _end_to_end(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _OF_ONE_CONNECTION}
