"""Answers that are files: handed on as they are to whoever has asked for one, since they hold no records."""

import re
from enum import Enum, auto
from http import HTTPStatus
from typing import Final

from app.engine.integrations.answer_format import AnswerFormat
from app.engine.integrations.config import MethodConfig
from app.services.ports import PageCall
from app.sources.answers import responses
from app.sources.exchange.exchange import HttpResponse

_EMPTY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT})
_DOCUMENT: Final = re.compile(r"(?:application|text)/(?:[\w.+-]*[+-])?(?:json|xml)\Z")
_VAGUE: Final = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream"})
"""Types of files, and what some APIs call their JSON."""
_PAGE: Final = frozenset({"text/html", "application/xhtml+xml"})
"""A page that asks to sign in, say, is no record and no file, unless it says so."""
_ATTACHED: Final = re.compile(r"\s*attachment\s*(?:;|\Z)", re.IGNORECASE)


class Kind(Enum):
    """What an answer is."""

    DOCUMENT = auto()
    FILE = auto()
    EITHER = auto()
    """A document if it can be read as one."""


def kind_of(call: PageCall, config: MethodConfig, response: HttpResponse) -> Kind:
    """Return what the answer to a call is: lists, and what somebody maps, are documents whatever they say."""
    has_pages = config.pagination is not None and config.pagination is not call.config.defaults.pagination
    may_be_file = call.is_handed_on and call.mapping is None and call.method != "list" and not has_pages
    if not may_be_file or config.formats.answer is not AnswerFormat.AUTO or response.status in _EMPTY:
        return Kind.DOCUMENT
    if responses.format_of(response) is not AnswerFormat.JSON:
        return Kind.DOCUMENT
    return _by_type(response)


def _by_type(response: HttpResponse) -> Kind:
    media_type = (response.header("Content-Type") or "").partition(";")[0].strip().lower()
    if _DOCUMENT.match(media_type):
        return Kind.DOCUMENT
    if media_type in _PAGE:
        is_attached = _ATTACHED.match(response.header("Content-Disposition") or "")
        return Kind.FILE if is_attached else Kind.DOCUMENT
    if media_type not in _VAGUE:
        return Kind.FILE
    return Kind.EITHER if _begins_like_json(response.body) or not response.body else Kind.FILE


def _begins_like_json(body: bytes) -> bool:
    return body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
