"""Answers that are passed on to the caller: only the account's credentials are masked in them.

Data such as a company's name in the context stays: a credential is declared as one, or has the name of one, and has
eight characters or more.
"""

import re
from typing import Final

from app.engine.json_types import JSON
from app.services.ports import PlainAnswer
from app.sources.exchange.exchange import HttpRequest, HttpResponse
from app.sources.exchange.redaction import mask_secrets

_SHORTEST: Final = 8
_MOST_READ: Final = 256 * 1024
"""In a longer body only plain occurrences are masked: an answer that repeats a request is short."""
_RUN: Final = re.compile(r"[A-Za-z0-9]{4,}")


def select_credentials(texts: frozenset[str]) -> frozenset[str]:
    """Return the texts that are long enough and not a mere number, which may be data."""
    return frozenset(text for text in texts if len(text) >= _SHORTEST and not text.isdigit())


def build_plain_answer(response: HttpResponse, request: HttpRequest) -> PlainAnswer:
    """Return an answer with its credentials masked."""
    disposition = response.header("Content-Disposition")
    return PlainAnswer(
        status=response.status,
        content_type=response.header("Content-Type") or "",
        body=mask_body(response.body, request.credentials),
        disposition=None if disposition is None else mask_secrets(disposition, request.credentials),
    )


def mask_body(answer: bytes, credentials: frozenset[str]) -> bytes:
    """Mask credentials in the body of an answer."""
    if not _may_hold(answer, credentials):
        return answer
    if len(answer) <= _MOST_READ:
        text = answer.decode("utf-8", "surrogateescape")
        return mask_secrets(text, credentials).encode("utf-8", "surrogateescape")
    for credential in sorted(credentials, key=len, reverse=True):
        answer = answer.replace(credential.encode(errors="replace"), b"***")
    return answer


def mask_records(found: list[JSON], answer: bytes, credentials: frozenset[str]) -> list[JSON]:
    """Mask credentials in the records of an answer."""
    return [_mask(record, credentials) for record in found] if _may_hold(answer, credentials) else found


def _may_hold(answer: bytes, credentials: frozenset[str]) -> bool:
    """Whether a credential may occur: its runs of letters and digits mostly stay together, however it is written."""
    return any(all(run.encode() in answer for run in _RUN.findall(credential)) for credential in credentials)


def _mask(value: JSON, credentials: frozenset[str]) -> JSON:
    match value:
        case str():
            return mask_secrets(value, credentials)
        case dict():
            return {mask_secrets(key, credentials): _mask(one, credentials) for key, one in value.items()}
        case list():
            return [_mask(one, credentials) for one in value]
        case _:
            return value
