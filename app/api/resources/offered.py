"""Views of what an integration offers, filtered by a query; each list is one page."""

from collections.abc import Sequence

from app.engine.integrations.capabilities import CapabilityFilter, Surface, describe_capabilities
from app.engine.integrations.offers import Offering
from app.engine.json_types import JsonObject


def tools(offering: Offering, query: JsonObject) -> JsonObject:
    """Show its tools."""
    return _make_page(offering.describe_tools(methods=_read_list(query, "methods"), tags=_read_list(query, "tags")))


def capabilities(offering: Offering, query: JsonObject) -> JsonObject:
    """Show its capabilities."""
    wish = CapabilityFilter(
        surface=Surface(query.get("type", Surface.ALL)),
        methods=_read_list(query, "methods"),
        resource=query.get("resource"),
        is_described=query.get("has_description", False),
    )
    return describe_capabilities(offering, wish)


def list_unified_apis(offering: Offering) -> JsonObject:
    """Show the unified models that are mapped to it."""
    return _make_page(offering.list_unified_apis())


def _read_list(query: JsonObject, name: str) -> Sequence[str]:
    """Read a list that is separated by commas, or written as an array."""
    texts = (query.get(name, ""), query.get(f"{name}_in", ""))
    return [word for text in texts for word in text.split(",") if word]


def _make_page(items: list[JsonObject]) -> JsonObject:
    return {"result": items, "next_cursor": None, "limit": max(1, len(items))}
