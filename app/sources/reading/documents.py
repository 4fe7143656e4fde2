"""Read a body into a document, by its charset and its format."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from app.engine.integrations.answer_format import AnswerFormat
from app.engine.json_types import JSON
from app.sources.reading import charsets, json_texts, xml_documents
from app.sources.reading.json_texts import LineError, NotStrictError
from app.sources.reading.xml_documents import XmlError

AT_ONCE_BYTES: Final = 64 * 1024
"""Up to here anything is read at once: at worst, XML and errors in a charset, a MiB takes two seconds."""
STRICT_AT_ONCE_BYTES: Final = 1024 * 1024
"""Up to here strict JSON in UTF-8 is read at once: at worst, empty objects, a MiB takes 30 ms."""
_LINES_AT_ONCE: Final = 4096
_ANY_LINES_AT_ONCE: Final = 512
"""Of lines that are no strict JSON: each takes as long as twenty strict ones."""
_LONGEST_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Document:
    """What a body holds."""

    value: JSON = field(repr=False)
    replaced: int = 0
    """The characters that could not be read, each of which is U+FFFD now."""


class UnreadableError(ValueError):
    """A body can not be read."""

    def __init__(self, reason: str, *, is_passing: bool) -> None:
        self.reason = reason
        self.is_passing = is_passing
        """The next body may be whole."""
        super().__init__(reason)


class NotReadError(Exception):
    """Reading a body took more than it may, or was ended; ``code`` is that of an error."""

    def __init__(self, code: str, reason: str, *, is_passing: bool = False) -> None:
        self.code = code
        self.reason = reason
        self.is_passing = is_passing
        super().__init__(reason)


Grow = Callable[[int], Awaitable[None]]
"""Reserves so many more bytes of memory, or waits for them."""


T = TypeVar("T")


class Reader(Protocol):
    """Reads bodies for an event loop."""

    async def read(self, body: bytes, charset: str | None, form: AnswerFormat, grow: Grow) -> Document:
        """Read a body in any format but ``auto``; raise UnreadableError or NotReadError."""

    async def run_aside(self, function: Callable[[], T]) -> T:
        """Run a function that works on a large document or evaluates a tenant's expression, beside the event loop."""


class ReaderInPlace:
    """Reads where it is called, however long it takes: for programs that serve nobody else."""

    async def read(self, body: bytes, charset: str | None, form: AnswerFormat, grow: Grow) -> Document:
        """Read a body."""
        return read(body, charset, form)

    async def run_aside(self, function: Callable[[], T]) -> T:
        """Call a function."""
        return function()


def read(body: bytes, charset: str | None, form: AnswerFormat) -> Document:
    """Read a body in any format but ``auto``; raise UnreadableError."""
    try:
        return _build_document(body, charset, form)
    except UnicodeDecodeError as error:
        reason, is_passing = (
            f"it is not UTF-8 at byte {error.start}, and {quote_name(charset)} is no known charset",
            False,
        )
    except RecursionError:
        reason, is_passing = "it is nested too deeply", False
    except XmlError as error:
        reason, is_passing = str(error), error.is_passing
    except ValueError as error:
        reason, is_passing = _explain_error(body, error), True
    raise UnreadableError(reason, is_passing=is_passing)


def read_at_once(body: bytes, charset: str | None, form: AnswerFormat) -> Document | None:
    """Read a body that takes some milliseconds; None where it may take more. Raise UnreadableError."""
    is_lines = form is AnswerFormat.NDJSON
    lines = json_texts.count_lines(body) if is_lines else 0
    if len(body) <= AT_ONCE_BYTES and lines <= _ANY_LINES_AT_ONCE:
        return read(body, charset, form)
    if len(body) > STRICT_AT_ONCE_BYTES or form is AnswerFormat.XML or not charsets.is_utf8(body, charset):
        return None
    if lines > _LINES_AT_ONCE and len(body) > AT_ONCE_BYTES:
        return None
    parse = json_texts.parse_strict_lines if is_lines else json_texts.parse_strictly
    try:
        return Document(parse(charsets.convert_to_utf8(body, charset).body))
    except NotStrictError:
        return None


def quote_name(name: str | None) -> str:
    """Return an upstream's name in quotes, shortened."""
    return f"'{(name or '')[:_LONGEST_NAME]}'"


def _build_document(body: bytes, charset: str | None, form: AnswerFormat) -> Document:
    """Parse a body; where that fails, repair invalid bytes and parse again, unless the charset is unknown."""
    text = charsets.convert_to_utf8(body, charset)
    try:
        return Document(_parse(text.body, form), text.replaced)
    except UnicodeDecodeError:
        if not charsets.is_known(charset):
            raise
    text = charsets.repair_utf8(text.body)
    return Document(_parse(text.body, form), text.replaced)


def _parse(body: bytes, form: AnswerFormat) -> JSON:
    if form is AnswerFormat.NDJSON:
        return json_texts.parse_lines(body)
    return _parse_xml(body) if form is AnswerFormat.XML else json_texts.parse(body)


def _parse_xml(body: bytes) -> JSON:
    try:
        return xml_documents.parse(body)
    except XmlError:
        # Raises where the bytes are the reason.
        body.decode()
        raise


def _explain_error(body: bytes, error: ValueError) -> str:
    if body.lstrip()[:1] == b"<":
        return "it is HTML"
    return str(error) if isinstance(error, LineError) else "it does not parse"
