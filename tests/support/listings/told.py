"""What a simulated upstream says of how much there is: totals, numbers of pages, flags and ranges, true or not."""

from collections.abc import Mapping

from app.engine.json_types import JSON, JsonObject
from tests.support.listings.listing import Listing

TOTAL_HEADER = "X-Total-Count"


def about(listing: Listing, index: int, *, is_last: bool) -> JsonObject:
    """Return what a body says beside its records."""
    said: JsonObject = {}
    if listing.told is not None and listing.told_in == "body" and _is_told(listing, index):
        said["total"] = total(listing, index)
    if listing.tells_pages:
        said["pages"] = len(listing.windows)
    if listing.more is not None:
        yes, no = listing.more
        said["more"] = no if is_last and not listing.is_more_for_ever else yes
    return said


def headers(listing: Listing, index: int) -> Mapping[str, str]:
    """Return what the headers say of the total."""
    if listing.told is None or listing.told_in == "body" or not _is_told(listing, index):
        return {}
    return {TOTAL_HEADER: str(total(listing, index) or 0) if listing.told != "null" else ""}


def ranges(listing: Listing, start: int, end: int) -> Mapping[str, str]:
    """Return what the headers say of the range that is answered."""
    count = len(listing.rows)
    if listing.content_range == "next_range":
        return {"Next-Range": f"items={end}-{end + (listing.limit or 0) - 1}"} if end < count else {}
    said = "*" if listing.content_range == "star" else str(count)
    return {"Content-Range": f"items {start}-{end - 1}/{said}"} if end > start else {"Content-Range": f"items */{said}"}


def total(listing: Listing, index: int) -> JSON:
    """Return the total that the page at an index tells."""
    count = len(listing.ids)
    left = max(len(listing.windows) - 1 - index, 0)
    told: dict[str | None, JSON] = {
        "large": count + 1,
        "huge": 100 * count + 100,
        "small": max(count - 7, 0),
        "growing": max(count - left, 0),
        "shrinking": count + left,
        "text": str(count),
        "null": None,
        "words": f"about {count}",
        "of_page": len([id for id in listing.rows[slice(*_window(listing, index))] if id is not None]),
    }
    return told.get(listing.told, count)


def _window(listing: Listing, index: int) -> tuple[int, int]:
    return listing.windows[index] if index < len(listing.windows) else (0, 0)


def _is_told(listing: Listing, index: int) -> bool:
    return listing.told != "first_page_only" or index == 0
