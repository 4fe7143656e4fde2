"""Request tokens from OAuth 2 token endpoints: guarded like every request, bounded in size, time and attempts."""

import asyncio
import base64
import re
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

import aiohttp
import orjson

from app import tracing
from app.engine.accounts.oauth import TokenRequest
from app.engine.json_types import JsonObject
from app.engine.limits import retry
from app.engine.record_errors import InvalidGrantError, SourceError
from app.net import guarded_connections
from app.net.addresses import AllowedNetworks
from app.net.loop import LoopThread
from app.sources.reading import content_encodings
from app.sources.reading.content_encodings import Body, OverLimitError
from app.sources.request_parts import bodies
from app.tracing import Kind

_ANSWER_LIMIT_BYTES: Final = 256 * 1024
_ATTEMPTS: Final = 3
_ATTEMPT_SECONDS: Final = 8.0
"""Three of them with their pauses end before the row's lock does."""
_CONNECTIONS: Final = 50
_WORD_CHARACTERS: Final = 60
_FORM: Final = re.compile(r"[\w.~%+-]+=[^&\s<>\"]*(?:&[\w.~%+-]+=[^&\s<>\"]*)*&?", re.ASCII)
_DEAD_GRANTS: Final = frozenset({"invalid_grant", "bad_refresh_token", "token_revoked", "invalid_refresh_token"})


class HttpTokenEndpoint:
    """Token endpoints over HTTP; one per process."""

    def __init__(self, *, loop: LoopThread, allowed: AllowedNetworks) -> None:
        self._loop = loop
        self._allowed = allowed

    def request_token(self, request: TokenRequest) -> JsonObject:
        """Return the answer; raise InvalidGrantError, or SourceError for any other failure."""
        return self._loop.submit(self._request_token(request)).result()

    def close(self) -> None:
        """Stop the loop."""
        self._loop.close()

    async def _request_token(self, request: TokenRequest) -> JsonObject:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._attempt(request)
            except SourceError as error:
                if not error.retryable or attempt == _ATTEMPTS:
                    raise
            await asyncio.sleep(retry.draw_backoff(attempt, 0.3, 2.0))
        raise AssertionError("unreachable")

    async def _attempt(self, request: TokenRequest) -> JsonObject:
        try:
            status, body = await self._trace_exchange(request)
        except TimeoutError as error:
            message = f"gave no answer within {_ATTEMPT_SECONDS:.0f} s"
            raise _build_error(request, message, retryable=True) from error
        except OverLimitError as error:
            raise _build_error(request, f"answered more than {_ANSWER_LIMIT_BYTES} bytes") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if (blocked := guarded_connections.find_block_error(error)) is not None:
                raise SourceError("blocked_address", f"the token endpoint was not asked: {blocked}") from error
            retryable = not isinstance(error, aiohttp.InvalidURL)
            raise _build_error(request, f"can not be reached ({type(error).__name__})", retryable=retryable) from error
        return _judge(request, status, body)

    async def _trace_exchange(self, request: TokenRequest) -> tuple[int, bytes]:
        """Make the exchange as a span of the run that needs the token, where one does."""
        facts = {**tracing.describe_address(request.url), "http.request.method": "POST", "ferryman.endpoint": "token"}
        with tracing.span("POST", facts, kind=Kind.CLIENT) as span:
            status, body = await self._exchange(request)
            span.set({"http.response.status_code": status})
            span.error = str(status) if status >= 400 else None
        return status, body

    async def _exchange(self, request: TokenRequest) -> tuple[int, bytes]:
        # A session for each call: there is one per account and hour, and none is left over at a fork.
        async with (
            aiohttp.ClientSession(
                connector=guarded_connections.make_connector(self._allowed, limit=_CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=_ATTEMPT_SECONDS),
            ) as session,
            session.post(
                request.url, data=_build_body(request), headers=_build_headers(request), allow_redirects=False
            ) as response,
        ):
            body = Body(response.headers.getall("Content-Encoding", ()), limit_bytes=_ANSWER_LIMIT_BYTES)
            async for chunk in response.content.iter_any():
                for _ in body.add(chunk):
                    await asyncio.sleep(0)
            return response.status, body.content


def _build_body(request: TokenRequest) -> bytes:
    return bodies.write_json(request.fields) if request.is_json else bodies.write_query(request.fields).encode()


def _build_headers(request: TokenRequest) -> dict[str, str]:
    kind = "application/json" if request.is_json else "application/x-www-form-urlencoded"
    headers = {"Accept": "application/json", "Content-Type": kind, "User-Agent": "ferryman"}
    headers["Accept-Encoding"] = content_encodings.ACCEPTED
    if request.basic is not None:
        # RFC 6749 2.3.1: both are form-encoded before they are joined.
        parts = request.basic if request.is_loosely_encoded else [quote(part, safe="") for part in request.basic]
        pair = ":".join(parts)
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return headers


def _judge(request: TokenRequest, status: int, body: bytes) -> JsonObject:
    answer = _parse(body)
    word = str(answer.get("error") or "")[:_WORD_CHARACTERS]
    if word in _DEAD_GRANTS:
        raise InvalidGrantError(word)
    if 200 <= status < 300 and not word and answer:
        return answer
    if status >= 500 or status in (408, 425, 429):
        raise _build_error(request, f"answered {status}", retryable=True)
    if 200 <= status < 300 and not word:
        # An answer may be cut, or be another page's, such as that of a gateway.
        raise _build_error(request, f"answered {status} with no JSON object in it, nor a form", retryable=True)
    quoted = f" '{word}'" if word.replace("_", "").isalnum() else ""
    raise _build_error(request, f"answered {status}{quoted}")


def _parse(body: bytes) -> JsonObject:
    try:
        answer: Any = orjson.loads(body)
    except ValueError:
        return _parse_form(body)
    return answer if isinstance(answer, dict) else {}


def _parse_form(body: bytes) -> JsonObject:
    """Read a form, as in OAuth 1, which some servers answer to a request for JSON."""
    text = body.decode(errors="replace").strip()
    return dict(parse_qsl(text)) if _FORM.fullmatch(text) else {}


def _build_error(request: TokenRequest, what: str, *, retryable: bool = False) -> SourceError:
    parts = urlsplit(request.url)
    return SourceError("token_endpoint", f"the token endpoint of {parts.hostname} {what}", retryable=retryable)
