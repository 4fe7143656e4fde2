"""Show what an integration offers, narrowed by a query; each list is whole, on one page."""

from collections.abc import Sequence

from app.engine.integrations.capabilities import CapabilityFilter, Surface, describe_capabilities
from app.engine.integrations.offers import Offering
from app.engine.json_types import JsonObject


def tools(offering: Offering, query: JsonObject) -> JsonObject:
    """Show its tools."""
    return _whole(offering.describe_tools(methods=_either(query, "methods"), tags=_either(query, "tags")))


def capabilities(offering: Offering, query: JsonObject) -> JsonObject:
    """Show its capabilities."""
    wish = CapabilityFilter(
        surface=Surface(query.get("type", Surface.ALL)),
        methods=_either(query, "methods"),
        resource=query.get("resource"),
        is_described=query.get("has_description", False),
    )
    return describe_capabilities(offering, wish)


def unified_apis(offering: Offering) -> JsonObject:
    """Show the unified models that are mapped to it."""
    return _whole(offering.list_unified_apis())


def _either(query: JsonObject, name: str) -> Sequence[str]:
    """Read a list that is parted by commas, or spelt as an array."""
    texts = (query.get(name, ""), query.get(f"{name}_in", ""))
    return [word for text in texts for word in text.split(",") if word]


def _whole(items: list[JsonObject]) -> JsonObject:
    return {"result": items, "next_cursor": None, "limit": max(1, len(items))}
