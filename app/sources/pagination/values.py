"""What every kind of pagination speaks in: what it changes of a request, reads of an answer, and makes of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError
from app.engine.records.keys import BY_ID, RecordKey
from app.engine.records.outcomes import ListEnd, PageWarning


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAsk:
    """What pagination changes of a request."""

    query: JsonObject = field(default_factory=dict)
    """Parameters to add; they win over others of the same name."""
    headers: JsonObject = field(default_factory=dict)
    body: JsonObject = field(default_factory=dict)
    """Fields to add to the body."""
    address: str | None = None
    """The next page's whole address, to ask instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAnswer:
    """What pagination reads of an answer."""

    records: list[JSON]
    document: JSON
    links: Iterable[str] = ()
    """The values of its Link headers."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """By their names in lower case; empty where the pagination reads none."""
    key: RecordKey = BY_ID
    """What its records are known by."""
    witness: JsonObject | None = None
    """Of a page that was asked for before the one in front of it had come: the last page that was taken in by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTurn:
    """One answered page: the cursor behind it, or how its list ends."""

    records: list[JSON]
    cursor: JsonObject | None
    """Of the next page; None at the end. Beside a fault it is where to ask again: None is the first page."""
    end: ListEnd | None = None
    expected: int | None = None
    """The list's records by the total that was told last, at its end."""
    fault: SourceError | None = None
    """Ends the list as failed; the records are good."""
    is_suspicion: bool = False
    """The fault counts only as long as no list of the resource has ever had a second page."""
    warnings: tuple[PageWarning, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRefusal:
    """An answer that is an error where a page was asked for."""

    error: SourceError
    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    document: JSON = field(repr=False)
    """Its decoded body; None where it is not JSON."""
