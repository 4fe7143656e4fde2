"""Ways to reach a simulated upstream: in this process, in the place of a live attempt, or over a socket."""

import json
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, urlsplit

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy

from app.engine.json_types import JSON
from app.sources.exchange import faults
from app.sources.exchange.exchange import HttpRequest, HttpResponse
from app.sources.sending import Attempt
from tests.support.listings.site import Answer, Asked

BASE_URL = "http://listings.invalid"


def around(answer_to: Callable[[Asked], Answer], _live: Attempt) -> Attempt:
    """Answer without a socket."""

    async def attempt(request: HttpRequest, timeout_seconds: float) -> HttpResponse:
        answer = answer_to(asked(request.url, request.headers, request.body or b""))
        if answer.fault == "cut":
            raise faults.translate_error(aiohttp.ClientPayloadError(), request)
        headers = CIMultiDictProxy(CIMultiDict({"Content-Type": "application/json", **answer.headers}))
        return HttpResponse(status=answer.status, headers=headers, body=answer.body)

    return attempt


def asked(target: str, headers: Mapping[str, str], body: bytes) -> Asked:
    """Read what a client sent."""
    parts = urlsplit(target)
    return Asked(
        path=parts.path,
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers={name.lower(): value for name, value in headers.items()},
        body=_json(body),
    )


def raw(answer: Answer) -> bytes:
    """Write an answer as it goes over a socket that is closed behind it; a body that breaks off lacks its end."""
    body = answer.body
    length = len(body) + (answer.fault == "cut")
    fields = {
        "Content-Type": "application/json",
        "Content-Length": str(length),
        "Connection": "close",
        **answer.headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {answer.status} Said\r\n{head}\r\n".encode() + body


def _json(body: bytes) -> JSON:
    return json.loads(body) if body else None
