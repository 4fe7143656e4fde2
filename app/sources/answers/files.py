"""Answers that are files: they hold no records, and are passed on unchanged to the caller."""

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
"""Types of files that some APIs use for JSON."""
_PAGE: Final = frozenset({"text/html", "application/xhtml+xml"})
"""A page, such as a login form, is neither a record nor a file unless it is an attachment."""
_ATTACHED: Final = re.compile(r"\s*attachment\s*(?:;|\Z)", re.IGNORECASE)


class Kind(Enum):
    """What an answer is."""

    DOCUMENT = auto()
    FILE = auto()
    EITHER = auto()
    """A document if it can be read as one."""


def classify(call: PageCall, config: MethodConfig, response: HttpResponse) -> Kind:
    """Classify the answer to a call: lists and mapped answers are documents, whatever their type."""
    has_pages = config.pagination is not None and config.pagination is not call.config.defaults.pagination
    may_be_file = call.is_handed_on and call.mapping is None and call.method != "list" and not has_pages
    if not may_be_file or config.formats.answer is not AnswerFormat.AUTO or response.status in _EMPTY:
        return Kind.DOCUMENT
    if responses.choose_format(response) is not AnswerFormat.JSON:
        return Kind.DOCUMENT
    return _classify_by_type(response)


def _classify_by_type(response: HttpResponse) -> Kind:
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
