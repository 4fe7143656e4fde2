"""Show what an integration offers, narrowed by a query; each list is whole, on one page."""

from collections.abc import Sequence
from dataclasses import asdict

from app.engine.json_types import JsonObject
from app.engine.offers import Offering, is_among


def tools(offering: Offering, query: JsonObject) -> JsonObject:
    """Show its tools."""
    return _whole(offering.tools(methods=_either(query, "methods"), tags=_either(query, "tags")))


def capabilities(offering: Offering, query: JsonObject) -> JsonObject:
    """Show its capabilities."""
    methods = _either(query, "methods")
    return _whole(
        [
            asdict(one)
            for one in offering.capabilities()
            if one.type == query.get("type", one.type)
            and one.resource == query.get("resource", one.resource)
            and query.get("has_description", one.description is not None) is (one.description is not None)
            and is_among(one.method, methods)
        ]
    )


def unified_apis(offering: Offering) -> JsonObject:
    """Show the unified models that are mapped to it."""
    return _whole(offering.unified_apis())


def _either(query: JsonObject, name: str) -> Sequence[str]:
    """Read a list that is parted by commas, or spelt as an array."""
    texts = (query.get(name, ""), query.get(f"{name}_in", ""))
    return [word for text in texts for word in text.split(",") if word]


def _whole(items: list[JsonObject]) -> JsonObject:
    return {"result": items, "next_cursor": None, "limit": max(1, len(items))}
