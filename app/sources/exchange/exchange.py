"""One HTTP exchange with an upstream API as values: the request and the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from multidict import CIMultiDictProxy

from app.engine.integrations.answer_format import AnswerFormat
from app.engine.json_types import JsonObject
from app.engine.jsonata.expressions import Expression
from app.sources.reading.documents import STRICT_AT_ONCE_BYTES, Document, Reader, ReaderInPlace
from app.sources.reading.memory import HeldMemory

_CONDITIONS: Final = frozenset({"if-modified-since", "if-none-match"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request that is ready to be sent."""

    method: str
    url: str = field(repr=False)
    """Percent-encoded; sent as it is."""
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    timeout_seconds: float
    """For one attempt, from connecting to the last byte of the body."""
    is_repeatable: bool
    """It may be sent twice."""
    account_id: str = ""
    """Set when it is sent."""
    path_template: str = ""
    """Its path with names in the place of values, for traces; empty where there is none, or where nothing is traced."""
    error_expression: Expression | None = None
    """Finds errors in answers."""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """Texts that are masked in errors."""
    credentials: frozenset[str] = field(default=frozenset(), repr=False)
    """The secrets that are masked in answers too."""
    context: JsonObject = field(default_factory=dict, repr=False)
    """The account's context that its templates were resolved with."""

    @property
    def is_conditional(self) -> bool:
        """Whether it is only answered with content where something has changed: 304 says that nothing has."""
        return self.method == "GET" and not _CONDITIONS.isdisjoint(map(str.lower, self.headers))

    @property
    def address(self) -> str:
        """The URL without its query, which may hold secrets."""
        return self.url.partition("?")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """An answer, its body read and decompressed."""

    status: int
    headers: CIMultiDictProxy[str] = field(repr=False)
    body: bytes = field(repr=False)
    reader: Reader = field(default=ReaderInPlace(), repr=False)
    """Reads the body."""
    documents: dict[AnswerFormat, Document] = field(default_factory=dict, repr=False)
    """The documents that were read from the body, by format."""
    seconds: float = 0.0
    """The time from the request to the last byte."""
    held: HeldMemory = field(default_factory=HeldMemory, repr=False)
    """The memory of the body and its documents."""
    was_late: bool = False
    """The request was sent twice, because its answer did not come."""

    @property
    def is_large(self) -> bool:
        """Whether the body is so large that work on its document must not block the event loop."""
        return len(self.body) > STRICT_AT_ONCE_BYTES

    def header(self, name: str) -> str | None:
        """Read a header; None when it is absent."""
        return next(iter(self.header_values(name)), None)

    def header_values(self, name: str) -> list[str]:
        """Return every header of a name, with bytes beyond ASCII decoded: aiohttp hides them in surrogates."""
        return [
            value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            for value in self.headers.getall(name, ())
        ]

    @property
    def plain_headers(self) -> dict[str, str]:
        """The headers by their names in lower case; of several with one name all, joined by commas."""
        return {name: ", ".join(self.header_values(name)) for name in {key.lower() for key in self.headers}}

    @property
    def server_date(self) -> datetime | None:
        """The upstream's clock by its ``Date`` header."""
        try:
            date = parsedate_to_datetime(self.header("Date") or "")
        except (ValueError, OverflowError):
            return None
        return date if date.tzinfo else date.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundError:
    """An error that the expression found in an answer."""

    message: str
    status: int
