"""Read an upstream's answer into a document, in the charset and the format that it names or its method has."""

import re
from typing import Final

from app.engine.integrations.answer_format import AnswerFormat
from app.engine.record_errors import SourceError
from app.sources.exchange.exchange import HttpRequest, HttpResponse
from app.sources.exchange.faults import build_excerpt
from app.sources.reading import charsets, content_encodings, documents, xml_documents
from app.sources.reading.documents import Document, NotReadError, UnreadableError

NOT_JSON: Final = "not_json"
"""The error code of an answer that is read as JSON and is not JSON."""
_NO_CONTENT_STATUSES: Final = frozenset({204, 205, 304})
"""A 304 is the answer to a request that had a date: nothing has changed since."""
_READING_METHODS: Final = frozenset({"list", "get"})
_XML_TYPE: Final = re.compile(r"[/+]xml\s*(?:;|$)", re.IGNORECASE)
_LINES_TYPE: Final = re.compile(
    r"\s*(?:application|text)/(?:(?:x-)?nd-?json|(?:x-)?json-?l(?:ines)?|json-seq|stream\+json)\s*(?:;|$)",
    re.IGNORECASE,
)


def has_content(
    response: HttpResponse, *, method: str, answer: AnswerFormat = AnswerFormat.AUTO, is_paged: bool = False
) -> bool:
    """Whether there is a body to read; raise SourceError ``empty_body`` where a list, a page or a get must have one."""
    if response.status in _NO_CONTENT_STATUSES:
        return False
    if response.body and not response.body.isspace():
        return True
    if (is_paged or method in _READING_METHODS) and choose_format(response, answer) is not AnswerFormat.NDJSON:
        message = f"the answer {response.status} to a {method} has an empty body"
        raise SourceError("empty_body", message, status=response.status, retryable=True)
    return False


def choose_format(response: HttpResponse, answer: AnswerFormat = AnswerFormat.AUTO) -> AnswerFormat:
    """Return the format to read an answer in: any but ``auto``."""
    if answer is not AnswerFormat.AUTO:
        return answer
    content_type = response.header("Content-Type") or ""
    if content_type == "application/json" or content_type.startswith("application/json;"):
        # The usual case first: every page is checked.
        return AnswerFormat.JSON
    if _XML_TYPE.search(content_type):
        return AnswerFormat.XML
    return AnswerFormat.NDJSON if _LINES_TYPE.match(content_type) else AnswerFormat.JSON


async def decode(request: HttpRequest, response: HttpResponse, answer: AnswerFormat = AnswerFormat.AUTO) -> Document:
    """Read the body, once for each format; raise SourceError, retryable where the next body may be whole.

    Its code is ``not_json``, ``not_xml``, ``too_large`` or ``too_slow_to_read``.
    """
    form = choose_format(response, answer)
    if form not in response.documents:
        response.documents[form] = await _read(request, response, form)
    return response.documents[form]


async def _read(request: HttpRequest, response: HttpResponse, form: AnswerFormat) -> Document:
    try:
        return await response.reader.read(response.body, _find_charset(response, form), form, response.held.grow_by)
    except UnreadableError as error:
        reason, is_passing = error.reason, error.is_passing
    except NotReadError as error:
        message = f"the answer has {len(response.body)} bytes, and {error.reason}"
        raise SourceError(error.code, message, status=response.status, retryable=error.is_passing) from error
    if encoding := content_encodings.find_unknown(response.header_values("Content-Encoding")):
        reason, is_passing = f"{reason}, and {documents.quote_name(encoding)} is no known Content-Encoding", False
    raise _unreadable_error(request, response, form, reason=reason, is_passing=is_passing)


def _find_charset(response: HttpResponse, form: AnswerFormat) -> str | None:
    declared = xml_documents.find_declared_charset(response.body) if form is AnswerFormat.XML else None
    return declared or charsets.find_charset(response.header("Content-Type"))


def _unreadable_error(
    request: HttpRequest, response: HttpResponse, form: AnswerFormat, *, reason: str, is_passing: bool
) -> SourceError:
    content_type = (response.header("Content-Type") or "no Content-Type")[:100]
    message = f"the answer ({content_type}) is not JSON: {reason}"
    if form is AnswerFormat.XML:
        message = f"the answer is not XML that can be read: {reason}"
    return SourceError(
        "not_xml" if form is AnswerFormat.XML else NOT_JSON,
        message,
        status=response.status,
        retryable=is_passing,
        excerpt=build_excerpt(response.body, request.secrets),
    )
