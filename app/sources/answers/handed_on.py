"""Answers that are handed on to whoever calls: an account's credentials are masked in them, and nothing else is.

What may be data, such as a company's name that stands in the context, is left as it is: a credential is what is
declared to be one, or named like one, and has eight characters or more.
"""

import re
from typing import Final

from app.engine.json_types import JSON
from app.services.ports import PlainAnswer
from app.sources.exchange.exchange import HttpRequest, HttpResponse
from app.sources.exchange.redaction import masked

_SHORTEST: Final = 8
_MOST_READ: Final = 256 * 1024
"""Of a longer body only what stands there as it is: an answer that repeats a request is short."""
_RUN: Final = re.compile(r"[A-Za-z0-9]{4,}")


def credentials_among(texts: frozenset[str]) -> frozenset[str]:
    """Choose the texts that are long enough; digits alone may be any number of a record."""
    return frozenset(text for text in texts if len(text) >= _SHORTEST and not text.isdigit())


def plain_answer(response: HttpResponse, request: HttpRequest) -> PlainAnswer:
    """Return an answer as it is, but for credentials."""
    disposition = response.header("Content-Disposition")
    return PlainAnswer(
        status=response.status,
        content_type=response.header("Content-Type") or "",
        body=body(response.body, request.credentials),
        disposition=None if disposition is None else masked(disposition, request.credentials),
    )


def body(answer: bytes, credentials: frozenset[str]) -> bytes:
    """Mask credentials in the body of an answer."""
    if not _may_hold(answer, credentials):
        return answer
    if len(answer) <= _MOST_READ:
        text = answer.decode("utf-8", "surrogateescape")
        return masked(text, credentials).encode("utf-8", "surrogateescape")
    for credential in sorted(credentials, key=len, reverse=True):
        answer = answer.replace(credential.encode(errors="replace"), b"***")
    return answer


def records(found: list[JSON], answer: bytes, credentials: frozenset[str]) -> list[JSON]:
    """Mask credentials in the records of an answer."""
    return [_masked(record, credentials) for record in found] if _may_hold(answer, credentials) else found


def _may_hold(answer: bytes, credentials: frozenset[str]) -> bool:
    """Whether to look closer: however a credential is written, its letters and digits mostly stay together."""
    return any(all(run.encode() in answer for run in _RUN.findall(credential)) for credential in credentials)


def _masked(value: JSON, credentials: frozenset[str]) -> JSON:
    match value:
        case str():
            return masked(value, credentials)
        case dict():
            return {masked(key, credentials): _masked(one, credentials) for key, one in value.items()}
        case list():
            return [_masked(one, credentials) for one in value]
        case _:
            return value
