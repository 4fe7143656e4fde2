"""Read a whole answer for a call: decode the body, find its records, and collect warnings.

An answer that is a file holds no records, and is passed on unchanged to the caller.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import partial
from http import HTTPStatus
from typing import Final

from app.engine.config.paths import MarkedPath
from app.engine.integrations.answer_format import AnswerFormat
from app.engine.integrations.config import MethodConfig
from app.engine.json_types import JSON
from app.engine.jsonata.expressions import Expression
from app.engine.record_errors import SourceError
from app.engine.records.outcomes import PageWarning
from app.services.ports import PageCall
from app.sources.answers import computed_parts, record_lists, responses
from app.sources.answers.record_lists import RecordPlace
from app.sources.exchange.exchange import HttpRequest, HttpResponse
from app.sources.exchange.faults import build_excerpt
from app.sources.exchange.redaction import mask_secrets
from app.sources.pagination import page_facts
from app.sources.pagination.listing import reads_headers
from app.sources.pagination.state import ListState
from app.sources.pagination.values import PageAnswer
from app.sources.reading.documents import Document

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAnswer:
    """A success that could be read."""

    response: HttpResponse = field(repr=False)
    page: PageAnswer = field(repr=False)
    warnings: tuple[PageWarning, ...] = ()
    is_file: bool = False
    """It holds no records, and is passed on unchanged."""
    read_again: "Callable[[], Awaitable[ReadAnswer]] | None" = field(default=None, repr=False)
    """Reads it from its body once more, which takes a fraction of its document's memory; None where that takes long."""


async def read(call: PageCall, config: MethodConfig, request: HttpRequest, response: HttpResponse) -> ReadAnswer:
    """Read a success; raise SourceError, retryable where another attempt may return a whole body."""
    kind = classify(call, config, response)
    if kind is Kind.FILE:
        return _answer_file(response)
    try:
        return await _read_document(call, config, request, response)
    except SourceError as error:
        if kind is Kind.EITHER and error.code == responses.NOT_JSON:
            return _answer_file(response)
        raise


def _answer_file(response: HttpResponse) -> ReadAnswer:
    page = PageAnswer(records=[], document=None, links=[], status=response.status, headers={})
    return ReadAnswer(response=response, page=page, is_file=True)


async def _read_document(
    call: PageCall, config: MethodConfig, request: HttpRequest, response: HttpResponse
) -> ReadAnswer:
    place, answer = _build_place(call, config, response), config.formats.answer
    document = Document(None)
    records: list[JSON] = []
    if responses.has_content(response, method=call.method, answer=answer, is_paged=place.is_paged):
        document = await responses.decode(request, response, answer)
        find = partial(_find_records, document.value, place, config, request, response)
        is_long = response.is_large or computed_parts.has_computed_parts(config)
        records = await response.reader.run_aside(find) if is_long else find()
    page = PageAnswer(
        records=records,
        document=document.value,
        links=response.header_values("Link"),
        status=response.status,
        headers=response.plain_headers if reads_headers(config.pagination) else {},
        key=config.key,
    )
    again = partial(_read_again, call, config, request, replace(response, documents={}))
    return ReadAnswer(
        response=response,
        page=page,
        warnings=_build_warnings(document.replaced, was_late=response.was_late),
        read_again=None if response.is_large or computed_parts.has_computed_parts(config) else again,
    )


async def _read_again(call: PageCall, config: MethodConfig, request: HttpRequest, response: HttpResponse) -> ReadAnswer:
    with response.held:
        return await _read_document(call, config, request, response)


def _build_place(call: PageCall, config: MethodConfig, response: HttpResponse) -> RecordPlace:
    return RecordPlace(
        method=call.method,
        is_paged=config.pagination is not None and config.pagination is not call.config.defaults.pagination,
        path=config.response_path if isinstance(config.response_path, MarkedPath) else None,
        expression=config.response_path if isinstance(config.response_path, Expression) else None,
        form=config.formats.response,
        key=config.key,
        is_first_page=call.cursor is None or ListState.from_json(call.cursor).is_at_start,
        is_xml=responses.choose_format(response, config.formats.answer) is AnswerFormat.XML,
    )


def _find_records(
    document: JSON, place: RecordPlace, config: MethodConfig, request: HttpRequest, response: HttpResponse
) -> list[JSON]:
    try:
        return record_lists.find_records(document, place)
    except SourceError as error:
        if place.is_list and _is_over(document, config, response):
            return []
        shown = build_excerpt(response.body, request.secrets)
        message = mask_secrets(error.message, request.secrets)
        raise SourceError(error.code, message, status=response.status, excerpt=shown) from None


def _is_over(document: JSON, config: MethodConfig, response: HttpResponse) -> bool:
    """Whether ``stop_when`` takes an answer without a list for its end."""
    if config.pagination is None:
        return False
    return page_facts.is_over(config.pagination.end_rules, document, response.plain_headers, status=response.status)


def _build_warnings(replaced: int, *, was_late: bool) -> tuple[PageWarning, ...]:
    warnings = []
    if replaced:
        message = "an answer holds bytes that are no text in its charset: each such character became U+FFFD"
        warnings.append(PageWarning("invalid_utf8", message, replaced))
    if was_late:
        warnings.append(PageWarning("asked_again", "a request hung, and was answered when it was sent once more"))
    return tuple(warnings)
