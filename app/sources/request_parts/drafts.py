"""A call with all its templates resolved, before pagination adds its part."""

from dataclasses import dataclass, field

from app.engine.integrations.request_formats import RequestFormats
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata.expressions import Expression
from app.services.ports import RawBody
from app.sources.request_parts.authorization import Signer
from app.sources.request_parts.written_queries import WrittenQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDraft:
    """A call with all its templates resolved, without the part of pagination."""

    method: str
    url: str
    """Without its query."""
    query: JsonObject = field(repr=False)
    standing_query: JsonObject = field(repr=False)
    """The integration's own part of the query, such as a key, which a next page's address may lack."""
    written: tuple[WrittenQuery, ...] = field(default=(), repr=False)
    """The parts of the query that addresses hold, and that are sent unchanged."""
    headers: JsonObject = field(repr=False)
    """A null removes a standing one."""
    body: JSON = field(repr=False)
    raw_body: RawBody | None = None
    """In the place of ``body``."""
    is_null_sent: bool = False
    """Where there is no body, the JSON text ``null`` is sent."""
    formats: RequestFormats
    error_expression: Expression | None
    sign: Signer | None = field(repr=False)
    """Computes further headers from the finished request."""
    is_repeatable: bool
    secrets: frozenset[str] = field(repr=False)
    credentials: frozenset[str] = field(default=frozenset(), repr=False)
    """The secrets that are credentials, not only data of the account."""
    context: JsonObject = field(repr=False)
    own_bounds: tuple[int | None, int | None] = (None, None)
    """Where the list begins and ends by the request itself, whatever the part; None where it does not say."""
