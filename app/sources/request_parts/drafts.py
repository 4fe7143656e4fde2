"""A call with all its templates resolved, before pagination has its say."""

from dataclasses import dataclass, field

from app.engine.integrations.request_formats import RequestFormats
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata.expressions import Expression
from app.services.ports import RawBody
from app.sources.request_parts.authorization import Signer
from app.sources.request_parts.written_queries import WrittenQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDraft:
    """A call with all its templates resolved; what pagination adds is not in it yet."""

    method: str
    url: str
    """Without its query."""
    query: JsonObject = field(repr=False)
    standing_query: JsonObject = field(repr=False)
    """The integration's own part of the query, such as a key, which a next page's address may leave out."""
    written: tuple[WrittenQuery, ...] = field(default=(), repr=False)
    """What of the query stands in addresses, and is sent as it is there."""
    headers: JsonObject = field(repr=False)
    """A null takes a standing one away."""
    body: JSON = field(repr=False)
    raw_body: RawBody | None = None
    """In the place of ``body``."""
    is_null_sent: bool = False
    """Where there is no body, the JSON text ``null`` is sent."""
    formats: RequestFormats
    error_expression: Expression | None
    sign: Signer | None = field(repr=False)
    """Makes further headers of the finished request."""
    is_repeatable: bool
    secrets: frozenset[str] = field(repr=False)
    credentials: frozenset[str] = field(default=frozenset(), repr=False)
    """Those of them that are not only facts about the account."""
    context: JsonObject = field(repr=False)
