"""The config that an integration has of a simulated upstream's list."""

from typing import Final

from app.engine.json_types import JsonObject
from tests.support.listings.listing import PREFIX, Kind, Listing
from tests.support.listings.told import TOTAL_HEADER

_FOLLOW: Final = f'body.{PREFIX}.next ? {{"query": {{"after": body.{PREFIX}.next}}}} : null'
_FORMATS: Final = {
    Kind.CURSOR_IN_BODY: "cursor",
    Kind.LINK_IN_BODY: "cursor",
}


def method(listing: Listing, path: str) -> JsonObject:
    """Describe the method that lists at a path."""
    told: JsonObject = {"path": path, "response_path": "items", "pagination": pagination(listing)}
    if listing.kind is Kind.CURSOR_IN_BODY:
        return {**told, "method": "post", "is_read": True, "body": {"of": "things"}}
    return told


def pagination(listing: Listing) -> JsonObject:
    """Describe how the list is paged, and how its end is known."""
    config = {**_names(listing), **_ends(listing), **(listing.declared or {})}
    return {"format": _FORMATS.get(listing.kind, str(listing.kind)), "config": config}


def _names(listing: Listing) -> JsonObject:
    limited: JsonObject = {} if listing.limit is None else {"limit_param": "limit", "limit": listing.limit}
    match listing.kind:
        case Kind.PAGE:
            return {"page_param": "page", **limited}
        case Kind.OFFSET:
            return {"offset_param": "offset", **limited}
        case Kind.RANGE:
            return {"range_unit": "items", "limit": listing.limit or 50}
        case Kind.LINK_HEADER:
            return limited
        case Kind.DYNAMIC:
            first = f'{{"query": {{"limit": {listing.limit or 50}}}}}'
            return {
                "get_initial_pagination_values_expression": first,
                "get_pagination_values_expression": _FOLLOW,
            }
        case _:
            where = {"cursor_in": "body"} if listing.kind is Kind.CURSOR_IN_BODY else {}
            return {"cursor_path": f"{PREFIX}.next", "cursor_param": "after", **limited, **where}


def _ends(listing: Listing) -> JsonObject:
    ends: JsonObject = {}
    if listing.told is not None:
        ends |= {"total_path": f"{PREFIX}.total"} if listing.told_in == "body" else {"total_header": TOTAL_HEADER}
    if listing.tells_pages:
        ends["total_pages_path"] = f"{PREFIX}.pages"
    if listing.more is not None:
        ends["has_more_path"] = f"{PREFIX}.more"
    return ends
