"""What the services need from outside, each as a role; bootstrap/ names the concrete classes."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias

from app.engine.integrations.config import IntegrationConfig
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.webhooks import Webhook
from app.engine.paths import Path
from app.engine.record_errors import RecordError, SourceError
from app.engine.records.outcomes import ListEnd, PageWarning, Reading
from app.engine.runs.work import EventDraft, WakeUp
from app.engine.schemas.columns import ResourceSchema
from app.engine.unified.calls import CallMapping

Announcement: TypeAlias = Callable[[Sequence[str]], Sequence[EventDraft]]
"""Makes the events for the webhooks of these ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawBody:
    """A body that is sent as it came: a file, or a form that holds some."""

    content: bytes = field(repr=False)
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCall:
    """One page of one request to an upstream API, with every placeholder of the job already resolved."""

    account_id: str
    environment_id: str = ""
    integration: str = ""
    """The name of the account's integration, for the metrics."""
    config: IntegrationConfig
    context: JsonObject = field(repr=False)
    """The account's context, credentials within."""
    is_refused: bool = False
    """The upstream had refused them when they were read."""
    origins: frozenset[str] | None = None
    """What they were given for: no other one is asked; None is not known yet."""
    plain_paths: frozenset[Path] = frozenset()
    """What of the context is no secret."""
    resource: str
    method: str
    id: str | None = None
    query: JsonObject = field(default_factory=dict)
    body: JSON = None
    raw_body: RawBody | None = None
    """In the place of ``body``."""
    headers: JsonObject = field(default_factory=dict, repr=False)
    """Beside those of the integration's method; a null takes one of its away."""
    path: str | None = None
    """Replaces the path of the integration's method."""
    mapping: CallMapping | None = field(default=None, repr=False)
    """Of a unified API's call: what the answer's records, or its error, become once they are here."""
    is_handed_on: bool = False
    """The caller gets the answer's records: no credential of the account is in them."""
    run_id: str = ""
    """The run that asks."""
    run_started_at: datetime | None = None
    part: JsonObject | None = None
    """The part of the list that is meant, where the method has a ``partition``; None is all of it."""
    cursor: JsonObject | None = None
    """Opaque; None requests the first page, else what ``FetchedPage.next_cursor`` was."""
    decides_deletions: bool = False
    """What the list does not hold will be deleted: an empty page that nothing confirms is not enough of an end."""

    @property
    def name(self) -> str:
        """What is called."""
        return f"{self.resource}.{self.method}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedPage:
    """One page as the upstream returned it."""

    records: list[JSON]
    next_cursor: JsonObject | None
    """None at the end."""
    server_date: datetime | None
    """The upstream's ``Date`` header."""
    url: str
    """Without its query, which may hold secrets."""
    status: int
    errors: Sequence[RecordError] = ()
    """Those of records that could not be mapped."""
    quarantined: int = 0
    """The records that could not be mapped, which are not among ``records``."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the answer, where the call's mapping reads them; none that is named like a secret."""
    has_short_integers: bool = False
    """Whether it is known that a double can hold each integer of the records."""
    end: ListEnd | None = None
    """How the end of the list is known, where this page ends it."""
    expected: int | None = None
    """The list's records by the last total of the upstream, where this page ends it."""
    fault: SourceError | None = None
    """Ends the list as failed, although the page's records are good; a resume asks from ``next_cursor`` on."""
    is_suspicion: bool = False
    """Whether the fault counts only as long as no list of the resource has ever led to a second page."""
    warnings: Sequence[PageWarning] = ()
    file: "PlainAnswer | None" = None
    """The answer itself, where it is a file that holds no records; only of a call that is handed on."""
    parts: Sequence[JsonObject] = ()
    """What the list is cut into: each is a list of its own, and nothing of this page counts."""
    is_requested: bool = True
    """A request was made for it."""
    reading: Reading | None = None
    """How the list's next page is requested; None where it has none."""
    answer_seconds: float = 0.0
    """What the upstream took to answer, without the waits for its limits."""

    @property
    def leads_on(self) -> bool:
        """Whether there is a next page to request."""
        return self.next_cursor is not None and self.fault is None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainAnswer:
    """A success as the upstream returned it."""

    status: int
    content_type: str
    body: bytes = field(repr=False)
    disposition: str | None = None
    """Its ``Content-Disposition``, which holds a file's name."""


class OpenList(Protocol):
    """One list as a slice reads it: pages that were requested before their turn are kept in it."""

    is_parallel: bool
    """Whether more than the next page can be asked for before its turn."""
    most: int
    """Requests that may be under way at once, that of the next page among them; 0: no new ones."""

    @property
    def is_under_way(self) -> bool:
        """Whether a page was requested whose turn has not come."""

    @property
    def is_ready(self) -> bool:
        """Whether the next page has come."""

    def submit(self, call: PageCall) -> "Future[FetchedPage]":
        """Begin to fetch the list's next page, as ``Source.submit`` does, and request those behind it."""

    def close(self) -> None:
        """Drop the pages whose turn has not come."""


class Source(Protocol):
    """Upstream APIs: one page of one request."""

    def submit(self, call: PageCall) -> "Future[FetchedPage]":
        """Begin to fetch a page; the future raises SourceError, RateLimitedError or PlaceholderError."""

    def open_list(self) -> OpenList | None:
        """Return what reads the pages of one list, some of them before their turn; None: none is."""

    def useful_requests(self, budget_key: str) -> int:
        """Return how many requests of a budget are worth having under way; more would only wait."""

    def pass_on(self, call: PageCall) -> "Future[PlainAnswer]":
        """Begin to make a call whose answer is no page; the future raises as that of ``submit`` does."""

    def preview(self, call: PageCall) -> JsonObject:
        """Return the request of a call with its secrets masked, and send nothing."""

    def close(self) -> None:
        """Cancel what is under way and close every connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """The result of an attempt to change an account's rate budget."""

    is_done: bool
    current: str
    """What stands there instead, when it was not done; empty is nothing."""
    now: float
    """Seconds on the clock that all processes share."""


class BudgetStore(Protocol):
    """Stores the rate budget of each account where all processes see it; a lost one is learned again."""

    async def swap(self, account_id: str, *, expected: str, text: str) -> Swapped:
        """Replace the expected text by another, if it is still the present one. A lost store raises nothing."""

    async def close(self) -> None:
        """Close what is open."""


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Return the time as aware UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """The state of a queue, as the broker shows it."""

    is_empty: bool
    is_timed: bool = False
    """Whether the broker shows which message is taken next."""
    next_sent_at: datetime | None = None
    """When that was sent; None when it does not say."""


class Dispatcher(Protocol):
    """Sends daemons to rows of Postgres. A lost or doubled message is harmless: the sweeper sends it again."""

    def dispatch(self, wake_ups: Sequence[WakeUp]) -> bool:
        """Send messages for units; False, and no exception, for a broker that can not be reached or is full."""

    def dispatch_run(self, run_id: str, *, queue: str) -> bool:
        """Send the message that starts a run; return whether the broker took it."""

    def dispatch_again(self, run_id: str, unit_id: str | None, *, queue: str) -> bool:
        """Send a lost message again, of a unit or of a run's start; return whether the broker took it.

        Raises where the broker refuses this queue alone, which says nothing about the others.
        """

    def publish(self, task: str, args: list[str], *, queue: str) -> bool:
        """Publish any task by its name; return whether the broker took it."""

    def look_at(self, queues: Sequence[str]) -> Mapping[str, QueueState]:
        """Look at queues; raise BrokerUnavailableError."""

    def is_reachable(self) -> bool:
        """Whether the broker takes connections."""


SendEvent: TypeAlias = Callable[[Webhook, str, bytes], "Future[int]"]
"""Begins to send one signed event of an id; the future returns the 2xx status, or raises DeliveryError."""

ChangeSchema: TypeAlias = Callable[[ResourceSchema], ResourceSchema]
"""From a schema as it is to the one that it becomes; called again where somebody else was first."""


class SchemaStore(Protocol):
    """Stores the schemas of resources."""

    def read(self, environment_id: EnvironmentId, integration_name: str, resource: str) -> ResourceSchema | None:
        """Return one; None while nothing is known of it."""

    def list(self, environment_id: EnvironmentId, *, integration_name: str | None = None) -> Sequence[ResourceSchema]:
        """Return those of an environment, or of one of its integrations, in the order of their names."""

    def list_declared(self, environment_id: EnvironmentId, integration_name: str) -> Mapping[str, JSON]:
        """Return the JSON Schemas that an integration and unified models declare, by resource."""

    def save(
        self, environment_id: EnvironmentId, integration_name: str, resource: str, change: ChangeSchema
    ) -> ResourceSchema:
        """Change one, which need not be there yet, and keep what has changed as its history; return it then.

        Whoever else changes it waits, and changes what this has left.
        """
