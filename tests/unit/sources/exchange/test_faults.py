import inspect
import ssl
from collections.abc import Iterator

import aiohttp
import pytest
from aiohttp import http_exceptions

from app.sources.exchange import faults
from app.sources.exchange.exchange import HttpRequest

REQUEST = HttpRequest(
    method="GET",
    url="http://x/s3cret?key=s3cret",
    headers={},
    timeout_seconds=1,
    is_repeatable=True,
    secrets=frozenset({"s3cret"}),
)

# What each may be called; a class that aiohttp adds has to find its place here.
CODES = {
    "ClientConnectionError": "disconnected",
    "ClientConnectionResetError": "disconnected",
    "ClientConnectorCertificateError": "connect",
    "ClientConnectorDNSError": "connect",
    "ClientConnectorError": "connect",
    "ClientConnectorSSLError": "connect",
    "ClientError": "disconnected",
    "ClientHttpProxyError": "not_http",
    "ClientOSError": "disconnected",
    "ClientPayloadError": "disconnected",
    "ClientProxyConnectionError": "connect",
    "ClientResponseError": "not_http",
    "ClientSSLError": "connect",
    "ConnectionTimeoutError": "connect",
    "ContentTypeError": "not_http",
    "InvalidURL": "request",
    "InvalidUrlClientError": "request",
    "InvalidUrlRedirectClientError": "request",
    "NonHttpUrlClientError": "request",
    "NonHttpUrlRedirectClientError": "request",
    "RedirectClientError": "request",
    "ServerConnectionError": "disconnected",
    "ServerDisconnectedError": "disconnected",
    "ServerFingerprintMismatch": "connect",
    "ServerTimeoutError": "timeout",
    "SocketTimeoutError": "timeout",
    "TooManyRedirects": "not_http",
    "UnixClientConnectorError": "connect",
    "UploadAbortedError": "disconnected",
    "WSServerHandshakeError": "not_http",
}


def family(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for child in kind.__subclasses__():
        yield from family(child)


def bare(kind: type[Exception]) -> Exception:
    return kind.__new__(kind)


@pytest.mark.parametrize("kind", sorted(set(family(aiohttp.ClientError)), key=str))
def test_every_client_error_of_aiohttp_has_a_code(kind: type[Exception]) -> None:
    if inspect.getmodule(kind) is None or not kind.__module__.startswith("aiohttp"):
        pytest.skip("not aiohttp's own")

    error = faults.translate_error(bare(kind), REQUEST)

    assert error.code == CODES[kind.__name__]
    assert "s3cret" not in error.message


@pytest.mark.parametrize("message", ["Too many headers received", "Got more than 65536 bytes when reading: b'x'."])
def test_limit_of_headers_is_named(message: str) -> None:
    error = faults.translate_error(http_exceptions.HttpProcessingError(message=message), REQUEST)

    assert error.code == "not_http"
    assert "at most 1000, of 65536 bytes each" in error.message


@pytest.mark.parametrize(
    ("error", "code", "is_retryable"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "disconnected", True),
        (TimeoutError(), "timeout", True),
        (ssl.SSLCertVerificationError(), "connect", False),
        (ssl.SSLError(1, "bad record"), "disconnected", True),
        (UnicodeError("label too long"), "request", False),
        (ValueError("newline in header"), "request", False),
        (http_exceptions.BadStatusLine("x"), "not_http", False),
    ],
)
def test_other_foreign_errors_have_a_code(error: Exception, code: str, is_retryable: bool) -> None:
    translated = faults.translate_error(error, REQUEST)

    assert translated.code == code
    assert translated.retryable is is_retryable
