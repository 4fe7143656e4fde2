"""Translate the exceptions of HTTP and of the operating system into SourceError."""

import re
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from app.engine.record_errors import ProviderAnswer, SourceError
from app.net import guarded_connections
from app.sources.exchange.exchange import FoundError, HttpRequest, HttpResponse
from app.sources.exchange.redaction import mask_secrets
from app.sources.reading.content_encodings import OverLimitError, UnpackingError

EXCERPT_CHARACTERS = 500
# Read before masking, so that a secret which the excerpt's end would cut in two is still found.
_EXCERPT_BYTES = 8 * EXCERPT_CHARACTERS

ANSWER_BYTES = 64 * 1024
"""How much of an error's body is read, and shown to its caller."""

MOST_HEADERS = 1000
HEADER_BYTES = 64 * 1024
"""Of one header: next-page links with long cursors travel in headers."""

_SHOWN_HEADER = re.compile(r"retry-after|(x-)?rate-?limit-[a-z-]+|(x-)?request-id")

# 425 asks to repeat the request by definition; 509, 52x, 530, 598 and 599 are answers of hosts, CDNs and proxies for an
# origin that is down or busy.
_PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 509, *range(520, 528), 529, 530, 598, 599})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    exceptions: tuple[type[Exception], ...]
    code: str
    words: str
    is_passing: bool = True
    """A retry may succeed."""
    shows_reason: bool = False
    """The operating system's reason is shown."""


_BROKEN_BODY = "was answered with a body that broke off or can not be decompressed"

# The first match counts: aiohttp's classes inherit from each other, from OSError and from ValueError.
_KINDS = (
    _Kind(
        exceptions=(ssl.SSLCertVerificationError, aiohttp.ServerFingerprintMismatch),
        code="connect",
        words="found a TLS certificate that can not be trusted",
        is_passing=False,
    ),
    _Kind(exceptions=(aiohttp.ClientConnectorDNSError,), code="connect", words="found no address for the host"),
    _Kind(exceptions=(aiohttp.ClientSSLError,), code="connect", words="could not agree on TLS"),
    _Kind(
        exceptions=(aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError),
        code="connect",
        words="could not connect",
        shows_reason=True,
    ),
    _Kind(exceptions=(TimeoutError,), code="timeout", words="had no whole answer in time"),
    _Kind(
        exceptions=(aiohttp.ClientPayloadError,),
        code="disconnected",
        words=_BROKEN_BODY,
    ),
    _Kind(
        exceptions=(aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, aiohttp.RedirectClientError),
        code="request",
        words="has an address that is not a valid http URL",
        is_passing=False,
    ),
    _Kind(
        exceptions=(aiohttp.ClientResponseError, HttpProcessingError),
        code="not_http",
        words="was answered with something that is not valid HTTP",
        is_passing=False,
    ),
    _Kind(
        exceptions=(aiohttp.ClientError, OSError), code="disconnected", words="lost its connection", shows_reason=True
    ),
    _Kind(
        exceptions=(Exception,),
        code="request",
        words="can not be sent: its address or a header holds a character that HTTP forbids",
        is_passing=False,
    ),
)


def translate_error(error: Exception, request: HttpRequest) -> SourceError:
    """Translate an exception of aiohttp, the operating system or ssl.

    The code ``connect`` means that nothing was sent, so that any request may be retried.
    """
    if (blocked := guarded_connections.find_block_error(error)) is not None:
        return SourceError("blocked_address", _build_message(request, f"was not sent: {blocked}"))
    kind = next(kind for kind in _KINDS if isinstance(error, kind.exceptions))
    reason = getattr(error, "strerror", None)
    words = f"{kind.words}: {reason}" if kind.shows_reason and reason else kind.words
    if _is_header_limit(error):
        words = f"was answered with more headers than are read: at most {MOST_HEADERS}, of {HEADER_BYTES} bytes each"
    return SourceError(kind.code, _build_message(request, words), retryable=kind.is_passing)


def _is_header_limit(error: Exception) -> bool:
    """Whether aiohttp read no further because of its limits, which only its message tells."""
    message = str(getattr(error, "message", ""))
    return message.startswith(("Too many headers", "Got more than"))


class RefusedError(SourceError):
    """The upstream answered with something that is not a success; ``response`` never leaves this package."""

    def __init__(self, code: str, message: str, *, response: HttpResponse, **facts: Any) -> None:
        self.response = response
        super().__init__(code, message, **facts)


def build_refusal(
    request: HttpRequest,
    response: HttpResponse,
    found: FoundError | None = None,
    *,
    retry_after_seconds: float | None = None,
) -> RefusedError:
    """Return the error for an answer that is not a success, or in which the integration's expression found one."""
    status = response.status if found is None else found.status
    what = f"was answered {response.status} {find_phrase(response.status)}".rstrip()
    return RefusedError(
        f"http_{status}",
        _build_message(request, what if found is None else f"{what}: {found.message}"),
        status=status,
        retryable=status in _PASSING_STATUSES,
        retry_after_seconds=retry_after_seconds,
        excerpt=build_excerpt(response.body, request.secrets),
        answer=build_provider_answer(request, response),
        response=response,
    )


def build_provider_answer(request: HttpRequest, response: HttpResponse) -> ProviderAnswer:
    """Return the parts of an answer that its caller may see."""
    shown = {name: value for name, value in response.plain_headers.items() if _SHOWN_HEADER.fullmatch(name)}
    # Masked before it is cut, so that a secret at the end is still found.
    text = response.body[: ANSWER_BYTES + _EXCERPT_BYTES].decode("utf-8", "replace").replace("\0", "\ufffd")
    return ProviderAnswer(
        status=response.status,
        headers={name: mask_secrets(value, request.secrets) for name, value in shown.items()},
        body=mask_secrets(text, request.credentials)[:ANSWER_BYTES],
    )


def translate_unpacking_error(error: UnpackingError, request: HttpRequest) -> SourceError:
    """Return the error for a success whose body exceeds the limit, or does not match its Content-Encoding."""
    if isinstance(error, OverLimitError):
        return SourceError(
            "too_large", _build_message(request, f"was answered with more than {error.limit_bytes} bytes")
        )
    return SourceError("disconnected", _build_message(request, f"{_BROKEN_BODY}: {error}"), retryable=True)


def build_excerpt(body: bytes, secrets: frozenset[str]) -> str:
    """Return the beginning of a body, with secrets masked."""
    text = body[:_EXCERPT_BYTES].decode("utf-8", "replace").replace("\0", "\ufffd")
    return mask_secrets(text.strip(), secrets)[:EXCERPT_CHARACTERS]


def find_phrase(status: int) -> str:
    """Return the standard phrase of a status; the upstream's own may be anything."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _build_message(request: HttpRequest, what: str) -> str:
    return mask_secrets(f"{request.method} {request.address} {what}", request.secrets)
