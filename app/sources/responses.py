"""Read an upstream's answer into a document: by its charset and its format, whatever is odd about either."""

import re
from dataclasses import dataclass, field
from typing import Final

from app.engine.errors import SourceError
from app.engine.json_types import JSON
from app.engine.request_formats import AnswerFormat
from app.sources import charsets, content_encodings, json_texts, xml_documents
from app.sources.exchange import HttpRequest, HttpResponse
from app.sources.faults import excerpt
from app.sources.json_texts import LineError
from app.sources.xml_documents import XmlError

_NO_CONTENT_STATUSES: Final = frozenset({204, 205})
_READING_METHODS: Final = frozenset({"list", "get"})
_XML_TYPE: Final = re.compile(r"[/+]xml\s*(?:;|$)", re.IGNORECASE)
_LINES_TYPE: Final = re.compile(
    r"\s*(?:application|text)/(?:(?:x-)?nd-?json|(?:x-)?json-?l(?:ines)?|json-seq|stream\+json)\s*(?:;|$)",
    re.IGNORECASE,
)
_LONGEST_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Document:
    """What a body holds."""

    value: JSON = field(repr=False)
    replaced: int = 0
    """The characters that could not be read, each of which is U+FFFD now."""


def has_content(
    response: HttpResponse, *, method: str, answer: AnswerFormat = AnswerFormat.AUTO, is_paged: bool = False
) -> bool:
    """Whether there is a body to read; raise SourceError ``empty_body`` where a list, a page or a get must have one."""
    if response.status in _NO_CONTENT_STATUSES:
        return False
    if response.body and not response.body.isspace():
        return True
    if (is_paged or method in _READING_METHODS) and format_of(response, answer) is not AnswerFormat.NDJSON:
        message = f"the answer {response.status} to a {method} has an empty body"
        raise SourceError("empty_body", message, status=response.status, retryable=True)
    return False


def format_of(response: HttpResponse, answer: AnswerFormat = AnswerFormat.AUTO) -> AnswerFormat:
    """Return how an answer is to be read: any format but ``auto``."""
    if answer is not AnswerFormat.AUTO:
        return answer
    content_type = response.header("Content-Type") or ""
    if content_type == "application/json" or content_type.startswith("application/json;"):
        # Nearly all are; each page asks.
        return AnswerFormat.JSON
    if _XML_TYPE.search(content_type):
        return AnswerFormat.XML
    return AnswerFormat.NDJSON if _LINES_TYPE.match(content_type) else AnswerFormat.JSON


def decode(request: HttpRequest, response: HttpResponse, answer: AnswerFormat = AnswerFormat.AUTO) -> Document:
    """Read the body; raise SourceError ``not_json`` or ``not_xml``, retryable where the next body may be whole."""
    form = format_of(response, answer)
    charset = _charset(response, form)
    try:
        return _document(response.body, charset, form)
    except UnicodeDecodeError as error:
        reason, is_passing = f"it is not UTF-8 at byte {error.start}, and {_shown(charset)} is no known charset", False
    except RecursionError:
        reason, is_passing = "it is nested too deeply", False
    except XmlError as error:
        reason, is_passing = str(error), error.is_passing
    except ValueError as error:
        reason, is_passing = _why_no_json(response, error), True
    if encoding := content_encodings.unknown(response.header_values("Content-Encoding")):
        reason, is_passing = f"{reason}, and {_shown(encoding)} is no known Content-Encoding", False
    raise _unreadable(request, response, form, reason=reason, is_passing=is_passing)


def _charset(response: HttpResponse, form: AnswerFormat) -> str | None:
    declared = xml_documents.declared_charset(response.body) if form is AnswerFormat.XML else None
    return declared or charsets.named(response.header("Content-Type"))


def _document(body: bytes, charset: str | None, form: AnswerFormat) -> Document:
    """Parse, and only where that fails look for bytes that are no text, which an unknown charset does not excuse."""
    text = charsets.to_utf8(body, charset)
    try:
        return Document(_parsed(text.body, form), text.replaced)
    except UnicodeDecodeError:
        if not charsets.is_known(charset):
            raise
    text = charsets.repaired(text.body)
    return Document(_parsed(text.body, form), text.replaced)


def _parsed(body: bytes, form: AnswerFormat) -> JSON:
    if form is AnswerFormat.NDJSON:
        return json_texts.parse_lines(body)
    return _parsed_xml(body) if form is AnswerFormat.XML else json_texts.parse(body)


def _parsed_xml(body: bytes) -> JSON:
    try:
        return xml_documents.parse(body)
    except XmlError:
        # Raises where the bytes are the reason.
        body.decode()
        raise


def _why_no_json(response: HttpResponse, error: ValueError) -> str:
    if response.body.lstrip()[:1] == b"<":
        return "it is HTML"
    return str(error) if isinstance(error, LineError) else "it does not parse"


def _unreadable(
    request: HttpRequest, response: HttpResponse, form: AnswerFormat, *, reason: str, is_passing: bool
) -> SourceError:
    content_type = (response.header("Content-Type") or "no Content-Type")[:100]
    message = f"the answer ({content_type}) is not JSON: {reason}"
    if form is AnswerFormat.XML:
        message = f"the answer is not XML that can be read: {reason}"
    return SourceError(
        "not_xml" if form is AnswerFormat.XML else "not_json",
        message,
        status=response.status,
        retryable=is_passing,
        excerpt=excerpt(response.body, request.secrets),
    )


def _shown(name: str | None) -> str:
    return f"'{(name or '')[:_LONGEST_NAME]}'"
