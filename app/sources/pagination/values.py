"""What every kind of pagination has in common: its part of a request, of an answer, and the result."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.engine.records.keys import BY_ID, RecordKey
from app.engine.records.outcomes import ListEnd, PageWarning


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """The part of a request that pagination sets."""

    query: JsonObject = field(default_factory=dict)
    """Parameters to add; they win over others of the same name."""
    headers: JsonObject = field(default_factory=dict)
    body: JsonObject = field(default_factory=dict)
    """Fields to add to the body."""
    address: str | None = None
    """The next page's whole address, which replaces the request's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAnswer:
    """The part of an answer that pagination reads."""

    records: list[JSON]
    document: JSON
    links: Iterable[str] = ()
    """The values of its Link headers."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """By their names in lower case; empty where the pagination reads none."""
    key: RecordKey = BY_ID
    """The key of its records."""
    witness: JsonObject | None = None
    """For a page that was requested before the answer to its predecessor: the last page that was read by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageResult:
    """The result of one page: the cursor behind it, or the end of its list."""

    records: list[JSON]
    cursor: JsonObject | None
    """Of the next page; None at the end. With a fault, of the page to ask for again: None is the first one."""
    end: ListEnd | None = None
    expected: int | None = None
    """The last declared total, at the end of the list."""
    fault: SourceError | None = None
    """Ends the list as failed; the records are good."""
    is_suspicion: bool = False
    """The fault counts only as long as no list of the resource has ever had a second page."""
    warnings: tuple[PageWarning, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRefusal:
    """An error answer to the request for a page."""

    error: SourceError
    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    document: JSON = field(repr=False)
    """Its decoded body; None where it is not JSON."""
