"""The entries of a HAR 1.2 file (http://www.softwareishard.com/blog/har-12-spec/): exchanges as any tool opens them."""

import base64
from collections.abc import Callable, Iterable
from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from multidict import CIMultiDict, CIMultiDictProxy

from app.engine.field_names import is_secret_name
from app.engine.json_types import JsonObject
from app.engine.times import format_utc
from app.sources.exchange.exchange import HttpRequest, HttpResponse
from app.sources.exchange.redaction import MASK

VERSION: Final = "1.2"

Hide = Callable[[str], str]

# The body is kept as it was read, decompressed and whole.
_OF_TRANSFER: Final = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive"})


def entry(request: HttpRequest, response: HttpResponse, hide: Hide, *, at: datetime, seconds: float) -> JsonObject:
    """Write down one exchange, its secrets hidden."""
    milliseconds = round(seconds * 1000, 3)
    return {
        "startedDateTime": format_utc(at),
        "time": milliseconds,
        "request": _request(request, hide),
        "response": _response(response, hide),
        "cache": {},
        "timings": {"send": 0, "wait": milliseconds, "receive": 0},
    }


def response_of(entry: JsonObject, show: Hide) -> HttpResponse:
    """Return the answer of an entry, its labels turned back."""
    kept = entry["response"]
    headers = CIMultiDict((header["name"], show(header["value"])) for header in kept["headers"])
    content = kept.get("content") or {}
    return HttpResponse(status=kept["status"], headers=CIMultiDictProxy(headers), body=_bytes(content, show))


def text_of(body: bytes | None, hide: Hide) -> str:
    """Return a body as the file holds it, one that is no text in base64."""
    try:
        return hide((body or b"").decode())
    except UnicodeDecodeError:
        return base64.b64encode(_hidden(body or b"", hide)).decode()


def _request(request: HttpRequest, hide: Hide) -> JsonObject:
    url = hide(request.url)
    query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    kept: JsonObject = {
        "method": request.method.upper(),
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _headers(request.headers.items(), hide),
        "queryString": [{"name": name, "value": value} for name, value in query],
        "headersSize": -1,
        "bodySize": len(request.body or b""),
    }
    if request.body is not None:
        kind = next((value for name, value in request.headers.items() if name.lower() == "content-type"), "")
        kept["postData"] = {"mimeType": kind, "text": text_of(request.body, hide)}
    return kept


def _response(response: HttpResponse, hide: Hide) -> JsonObject:
    content: JsonObject = {"size": len(response.body), "mimeType": response.header("Content-Type") or ""}
    try:
        content["text"] = hide(response.body.decode())
    except UnicodeDecodeError:
        content |= {"text": text_of(response.body, hide), "encoding": "base64"}
    headers = [(name, value) for name, value in response.headers.items() if name.lower() not in _OF_TRANSFER]
    return {
        "status": response.status,
        "statusText": _phrase(response.status),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _headers(headers, hide),
        "content": content,
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": len(response.body),
    }


def _headers(headers: Iterable[tuple[str, str]], hide: Hide) -> list[JsonObject]:
    return [
        {"name": name, "value": MASK if is_secret_name(name) else hide(_storable(value))} for name, value in headers
    ]


def _storable(text: str) -> str:
    """Return a header as text: aiohttp hides bytes beyond ASCII in surrogates."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _bytes(content: JsonObject, show: Hide) -> bytes:
    text = content.get("text") or ""
    if content.get("encoding") == "base64":
        return _hidden(base64.b64decode(text), show)
    return show(text).encode()


def _hidden(body: bytes, hide: Hide) -> bytes:
    return hide(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
